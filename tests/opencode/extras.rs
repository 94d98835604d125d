//! What an operator sets by variables alone, extras among it.

use std::fs;

use serde_json::Value;

use super::desk::Desk;
use crate::support::bench::text;

#[test]
fn extras_are_there_once_for_each_session() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let package = folder.path().join("package");
    fs::create_dir_all(folder.path().join("skills/greeting")).unwrap();
    fs::create_dir_all(&package).unwrap();
    fs::write(folder.path().join("skills/greeting/SKILL.md"), "Say hello.\n").unwrap();
    fs::write(package.join("extra_of_ours.py"), "print('imported')\n").unwrap();
    wheel(folder.path());
    fs::write(
        folder.path().join("requirements.txt"),
        format!("--no-index\n--find-links {path}\nextra_of_ours\n"),
    )
    .unwrap();
    let Some(mut desk) = Desk::inherited(&[("MCP_RUNTIME_EXTRAS_DIR", &path)]) else { return };
    let session = desk.session();
    let told = desk.ran(
        &session,
        "TOOL:bash:{\"command\": \"python3 -c 'import extra_of_ours' > /workspace/said.txt\"}",
    );
    assert_eq!(told["state"], "completed", "{told}");
    assert_eq!(fs::read_to_string(desk.folder(&session).join("said.txt")).unwrap(), "imported\n");
    let skill = desk.folder(&session).join("skills/greeting/SKILL.md");
    assert_eq!(fs::read_to_string(&skill).unwrap(), "Say hello.\n");
    let record = desk.meta(&session).join("bootstrap.json");
    let record: Value = serde_json::from_str(&fs::read_to_string(record).unwrap()).unwrap();
    assert_eq!(record["extras_dir"], path.as_str());

    // A server that is started again finds it done.
    fs::remove_file(&skill).unwrap();
    let container = text(&desk.containers()[0]["Id"]);
    desk.bench.engine.post(&format!("/containers/{container}/restart?t=0"), &Value::Null).unwrap();
    assert_eq!(desk.ran(&session, "ECHO again")["state"], "completed");
    assert!(!skill.exists());
}

/// The package as pip takes it without a network: a wheel is an archive of what is to be installed.
fn wheel(folder: &std::path::Path) {
    let name = "extra_of_ours-1-py3-none-any.whl";
    let about = "extra_of_ours-1.dist-info";
    let script = format!(
        "import zipfile\nwith zipfile.ZipFile('{name}', 'w') as wheel:\n\
         \x20   wheel.write('package/extra_of_ours.py', 'extra_of_ours.py')\n\
         \x20   wheel.writestr('{about}/METADATA', 'Metadata-Version: 2.1\\nName: extra_of_ours\\nVersion: 1\\n')\n\
         \x20   wheel.writestr('{about}/WHEEL', 'Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n')\n\
         \x20   wheel.writestr('{about}/RECORD', '')\n"
    );
    let mut python = std::process::Command::new("python3");
    assert!(python.args(["-c", &script]).current_dir(folder).status().unwrap().success());
}

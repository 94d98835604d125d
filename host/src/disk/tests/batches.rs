//! Batches: all steps or none, whatever fails.

use super::*;

async fn filled() -> Ground {
    let ground = Ground::new().await;
    for (path, text) in [("a", "A"), ("b", "B"), ("d/x", "X"), ("d/y", "Y")] {
        ground.write(path, text).await.unwrap();
    }
    ground
}

#[tokio::test]
async fn a_batch_does_all_its_steps_in_order() {
    let ground = filled().await;
    let steps = vec![
        write("n/e/w", "new", None),
        copy("n/e/w", "copied", false),
        rename("a", "moved", false),
        Step::Read(path("moved")),
        remove("d"),
        rename("b", "copied", true),
        copy("n", "tree", false),
        write("moved", "over", None),
    ];
    let done = ground.batch(steps).await.unwrap();
    assert_eq!(done.len(), 8);
    assert!(matches!(&done[3], Done::Read(part) if part.data == b"A"), "{done:?}");
    let after = [
        "copied: B",
        "moved: over",
        "n/",
        "n/e/",
        "n/e/w: new",
        "tree/",
        "tree/e/",
        "tree/e/w: new",
    ];
    assert_eq!(ground.everything(), after);
    assert_eq!(ground.staged(), 0);
}

/// What changes everything, before a step that fails.
fn much() -> Vec<Step> {
    vec![
        write("a", "changed", None),
        write("new/deep/file", "new", None),
        rename("b", "elsewhere/b", false),
        copy("d", "copy", false),
        rename("a", "d/x", true),
        remove("d"),
        write("d/fresh", "fresh", None),
        rename("new", "newer", false),
    ]
}

#[tokio::test]
async fn whichever_step_fails_nothing_is_done() {
    let ground = filled().await;
    let before = ground.everything();
    let wrong = || Some("wrong".to_owned());
    let failing = [
        (Step::Read(path("elsewhere/none")), Code::NotFound),
        (Step::Read(path("elsewhere")), Code::Invalid),
        (write("copy", "x", None), Code::Invalid),
        (write("copy/x", "x", wrong().as_deref()), Code::Conflict),
        (write("elsewhere/b", "x", Some("")), Code::Conflict),
        (write("copy/x/z", "x", None), Code::NotFound),
        (remove("b"), Code::NotFound),
        (Step::Remove { path: path("copy/x"), if_match: wrong() }, Code::Conflict),
        (rename("b", "z", false), Code::NotFound),
        (rename("copy/x", "copy/y", false), Code::Conflict),
        (rename("elsewhere", "elsewhere/in/itself", false), Code::Invalid),
        (rename("copy/x", "newer", true), Code::Invalid),
        (copy("b", "z", false), Code::NotFound),
        (copy("copy/x", "copy/y", false), Code::Conflict),
        (copy("copy/x", "newer", true), Code::Invalid),
    ];
    for (step, code) in failing {
        let mut steps = much();
        steps.push(step);
        let error = refused(ground.batch(steps).await);
        assert_eq!(error.code, code, "{}", error.message);
        assert!(error.message.starts_with("step 9 ("), "{}", error.message);
        let details = error.details.unwrap();
        assert!(details.contains(r#""step":9"#) && details.contains("rollback_performed"));
        assert_eq!(ground.everything(), before, "{}", error.message);
        assert_eq!(ground.staged(), 0);
    }
    ground.batch(much()).await.unwrap();
}

#[tokio::test]
async fn what_is_bound_to_fail_is_refused_before_anything_is_done() {
    let ground = filled().await;
    let watched = std::fs::metadata(ground.inside("")).unwrap().modified().unwrap();
    let bound = [
        write("b", "x", Some("wrong")),
        write("none/at/all", "x", Some("wrong")),
        remove("none"),
        copy("b", "d", false),
        Step::Read(path("none")),
    ];
    for step in bound {
        refused(ground.batch(vec![write("a2", "x", None), step]).await);
    }
    let after = std::fs::metadata(ground.inside("")).unwrap().modified().unwrap();
    assert_eq!(watched, after, "something was there for a moment");
}

#[tokio::test]
async fn a_failed_write_leaves_no_directory() {
    let ground = filled().await;
    let before = ground.everything();
    let name = "n".repeat(300);
    check_code(ground.write(&format!("p/q/{name}"), "x").await, Code::Invalid);
    check_code(ground.step(copy("d", &format!("p/q/{name}"), false)).await, Code::Invalid);
    check_code(ground.step(rename("d", &format!("p/q/{name}"), false)).await, Code::Invalid);
    check_code(ground.write(&format!("p/{name}/x"), "x").await, Code::Invalid);
    assert_eq!((ground.everything(), ground.staged()), (before, 0));
}

#[tokio::test]
async fn the_root_stays() {
    let ground = filled().await;
    for root in ["", ".", "/workspace", "/workspace/", "d/.."] {
        assert_eq!(refused(ground.remove(root).await).message, "Cannot delete workspace root");
        refused(ground.step(rename(root, "x", false)).await);
        refused(ground.step(copy("a", root, true)).await);
        refused(ground.write(root, "x").await);
    }
    let too_many = (0..1001).map(|_| Step::Read(path("a"))).collect();
    check_code(ground.batch(too_many).await, Code::Limit);
}

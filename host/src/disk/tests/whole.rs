//! Whole workspaces: whose they are, what is swept, and a disk that is full.

use std::fs;

use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};

use super::*;
use crate::disk::Hold;

#[tokio::test]
async fn a_workspace_is_its_makers_and_for_those_with_a_shared_grant() {
    let ground = Ground::new().await;
    let open = async |policy: &Policy, id: &str| {
        let approved = policy.approve_opening_workspace(id.to_owned()).unwrap();
        ground.disk.open(&approved).await.map(|it| it.0)
    };
    let other = policy("other", WorkspacesGrant::Own);
    assert_eq!(open(&ground.policy, &ground.id).await.unwrap(), ground.id);
    assert_eq!(
        open(&policy("other", WorkspacesGrant::Shared), &ground.id).await.unwrap(),
        ground.id
    );
    let refusal = refused(open(&other, &ground.id).await);
    let nobodys = refused(open(&other, "w_none").await);
    assert_eq!((refusal.code, nobodys.code), (Code::NotFound, Code::NotFound));
    assert_eq!(refusal.message.replace(&ground.id, "w_none"), nobodys.message);
    for id in ["", "..", ".staging", "/", "../secret"] {
        check_code(open(&policy("other", WorkspacesGrant::Shared), id).await, Code::NotFound);
    }
    let second = ground.disk.make("it").await.unwrap();
    ground.disk.make("other").await.unwrap();
    let listed = ground.disk.owned(&ground.policy.approve_listing_workspaces().unwrap()).await;
    assert_eq!(listed.unwrap(), [ground.id.clone(), second]);
}

#[tokio::test]
async fn a_workspace_that_is_held_is_not_destroyed() {
    let ground = Ground::new().await;
    ground.write("d/f", "x").await.unwrap();
    ground.disk.hold(&ground.id, Hold::Firm).await.unwrap();
    ground.disk.hold(&ground.id, Hold::Firm).await.unwrap();
    ground.disk.release(&ground.id, Hold::Firm);
    check_code(ground.disk.destroy(&ground.id).await, Code::Conflict);
    ground.disk.release(&ground.id, Hold::Firm);
    ground.disk.destroy(&ground.id).await.unwrap();
    check_code(ground.disk.destroy(&ground.id).await, Code::NotFound);
    check_code(ground.disk.hold(&ground.id, Hold::Firm).await, Code::NotFound);
    check_code(ground.read("d/f").await, Code::NotFound);
    assert!(!ground.inside("").exists());
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn what_a_killed_host_left_is_swept() {
    let ground = Ground::new().await;
    ground.write("f", "stays").await.unwrap();
    let lost = ground.disk.make("it").await.unwrap();
    fs::remove_dir(ground.disk.root(&lost)).unwrap();
    let workspaces = ground.folder.path().join("workspaces");
    fs::create_dir_all(workspaces.join("w_unrecorded/d")).unwrap();
    fs::create_dir_all(workspaces.join(".staging/1-0/d/e")).unwrap();
    fs::write(workspaces.join(".staging/1-1"), "half a file").unwrap();
    std::os::unix::fs::symlink("/", workspaces.join(".staging/1-2")).unwrap();
    fs::create_dir(workspaces.join("operators-own")).unwrap();
    let next = disk_in(ground.folder.path());
    next.sweep().await.unwrap();
    let all: Vec<_> = next.workspaces().await.unwrap().into_iter().map(|(id, _)| id).collect();
    assert_eq!(all, std::slice::from_ref(&ground.id));
    let after = disk_in(ground.folder.path());
    assert_eq!(after.workspaces().await.unwrap().len(), 1, "the record is gone, too");
    let mut names: Vec<_> = fs::read_dir(&workspaces)
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    // Whose records were lost still wants the work.
    let kept = [".staging", "operators-own", &ground.id, "w_unrecorded"];
    assert_eq!(names, kept.map(str::to_owned));
    assert_eq!((ground.staged(), ground.everything()), (0, vec!["f: stays".to_owned()]));
}

#[tokio::test]
async fn a_sweep_of_nothing_makes_nothing() {
    let folder = TempDir::new().unwrap();
    disk_in(folder.path()).sweep().await.unwrap();
    assert!(!folder.path().join("workspaces").exists());
}

/// A disk of two megabytes.
struct Small(TempDir);

impl Small {
    fn new() -> Option<Self> {
        if !is_root() {
            return None;
        }
        let folder = TempDir::new().unwrap();
        fs::create_dir(folder.path().join("workspaces")).unwrap();
        let options = c"size=2m,mode=700";
        let at = folder.path().join("workspaces");
        match mount("tmpfs", &at, "tmpfs", MountFlags::empty(), options) {
            Ok(()) => Some(Self(folder)),
            Err(error) => {
                eprintln!("SKIPPED: no tmpfs can be mounted: {error}");
                None
            }
        }
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = unmount(self.0.path().join("workspaces"), UnmountFlags::DETACH);
    }
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_half_done() {
    let Some(small) = Small::new() else { return };
    let folder = TempDir::new().unwrap();
    let disk =
        Disk::at(&small.0.path().join("workspaces"), Database::at(&folder.path().join("db")));
    let id = disk.make("it").await.unwrap();
    let ground = Ground { folder, disk, policy: policy("it", WorkspacesGrant::Own), id };
    ground.write("d/half", &"x".repeat(1_200_000)).await.unwrap();
    ground.write("f", "as it was").await.unwrap();
    let before = ground.everything();
    let large = "y".repeat(1_500_000);
    let archive = archives::tar(&[("d/small", "s"), ("d/large", &large)]);
    let paths = selection("", &[], &[], false).unwrap();
    let into = ground.policy.approve_pack_into(&ground.id, paths, "n/all.tar".to_owned()).unwrap();
    let failures = [
        refused(ground.write("f", &large).await),
        refused(ground.write("new/deep/g", &large).await),
        refused(ground.step(copy("d", "copy", false)).await),
        refused(ground.batch(vec![remove("f"), copy("d/half", "n/c", false)]).await),
        refused(ground.unpack(archive, "new").await),
        refused(ground.disk.pack_into(into).await),
    ];
    for error in failures {
        assert_eq!(error.code, Code::Unavailable, "{}", error.message);
        assert!(error.message.contains("the disk is full"), "{}", error.message);
    }
    let staging = ground.disk.root(".staging");
    assert_eq!(fs::read_dir(staging).unwrap().count(), 0);
    assert_eq!(ground.everything(), before);
    ground.write("f", "still works").await.unwrap();
    ground.remove("d").await.unwrap();
    ground.write("f", &large).await.unwrap();
}

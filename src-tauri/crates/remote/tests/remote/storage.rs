use std::sync::atomic::AtomicBool;

use lapwing_remote::{Settings, Storage, Watch};

static NEVER: AtomicBool = AtomicBool::new(false);

const UNWATCHED: Watch<'static> = Watch {
    moved: &|_| {},
    stop: &NEVER,
};

#[test]
fn two_at_once_send_the_same_object_and_leave_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    std::fs::write(&from, vec![b'x'; 4 << 20]).unwrap();
    let root = folder.path().join("store");
    let storage = Storage::open(&Settings::of(&root.display().to_string())).unwrap();
    // What somebody else has under way is not ours to write to.
    std::fs::create_dir_all(root.join("ab")).unwrap();
    std::fs::write(root.join("ab/cd.part"), "another program's").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                storage
                    .send(&from, "ab/cd", folder.path(), UNWATCHED)
                    .unwrap()
            });
        }
    });
    assert_eq!(std::fs::read(root.join("ab/cd")).unwrap().len(), 4 << 20);
    let part = std::fs::read_to_string(root.join("ab/cd.part")).unwrap();
    assert_eq!(part, "another program's");
    assert_eq!(std::fs::read_dir(root.join("ab")).unwrap().count(), 2);
}

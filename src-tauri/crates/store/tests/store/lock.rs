//! A lock is held by a living holder or by nobody.

use lapwing_store::lock::try_acquire;

use crate::writer::open;

#[test]
fn a_lock_is_free_again_when_its_holder_is_gone() {
    let (_folder, workspace, _store) = open();
    let held = try_acquire(&workspace, "services").expect("the lock file can be made");
    assert!(held.is_some(), "nobody held it");
    assert!(
        try_acquire(&workspace, "services")
            .expect("asking is no failure")
            .is_none(),
        "it has one holder"
    );
    assert!(
        try_acquire(&workspace, "job-1")
            .expect("asking is no failure")
            .is_some(),
        "another name is another lock"
    );
    drop(held);
    assert!(
        try_acquire(&workspace, "services")
            .expect("asking is no failure")
            .is_some(),
        "the file alone holds nothing"
    );
}

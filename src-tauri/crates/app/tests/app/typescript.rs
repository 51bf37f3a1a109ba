use std::path::Path;

#[test]
fn the_windows_types_are_those_of_the_core() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../ui/src/api/generated.ts");
    let fresh = lapwing_app::wire::typescript().unwrap();
    if std::env::var_os("LAPWING_WRITE_TYPESCRIPT").is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(
        kept, fresh,
        "ui/src/api/generated.ts is stale: write it with LAPWING_WRITE_TYPESCRIPT=1 cargo test -p lapwing-app"
    );
}

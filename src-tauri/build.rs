//! Makes the window's context; the command line needs none of it.

fn main() {
    #[cfg(feature = "desktop")]
    desktop();
}

#[cfg(feature = "desktop")]
fn desktop() {
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=tauri.conf.json");
    let attributes =
        tauri_build::Attributes::new().capabilities_path_pattern("./src-tauri/capabilities/**/*");
    if let Err(error) = tauri_build::try_build(attributes) {
        panic!("the window cannot be built: {error:#}");
    }
    // tauri-build writes editor schemas into the package root; they are not sources.
    let _ = std::fs::remove_dir_all("src-tauri/gen");
    let _ = std::fs::rename("gen", "src-tauri/gen");
}

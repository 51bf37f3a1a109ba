#[test] fn g(){ std::fs::write("/tmp/gen/generated.ts", lapwing_app::typescript().unwrap()).unwrap(); }

//! The description of webhook push's REST side, held against what is answered: schemathesis makes
//! requests of it, right ones and wrong ones.

use crate::support::{
    http,
    redis::Redis,
    webhook::{TOKEN, Webhook},
};
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// What must hold of each answer. What the description doesn't say can't be checked: names have limits in
/// bytes, which a schema counts in characters.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,ignored_auth,\
                      use_after_free";

#[tokio::test]
async fn every_response_matches_the_openapi_description() {
    let program = schemathesis();
    assert!(program.exists(), "{} is missing: run tests/install", program.display());
    let redis = Redis::start().await;
    let memory = Webhook::start_with(&[("HOOK_RATE", "100000")]).await;
    for host in [memory, Webhook::on(&redis).await] {
        let (url, folder) =
            (format!("http://{}", host.daemon.address()), crate::support::folder("openapi"));
        let run = Command::new(&program)
            .args(["run", &format!("{url}/api/openapi.json"), "--url", &url])
            .args(["--header", &format!("X-AUTH-TOKEN: {TOKEN}")])
            .args(["--checks", CHECKS, "--phases", "examples,coverage,fuzzing,stateful"])
            .args(["--max-examples", "25", "--seed", "1", "--no-color"])
            .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path())
            .current_dir(folder.path())
            .kill_on_drop(true)
            .output();
        let run = run.await.expect("it runs");
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{said}");
        assert!(said.contains("Tested: 9"), "{said}");
        let ping = http::get(&host.daemon.address(), "/api/status/ping", &[]).await;
        assert_eq!(ping.body, "pong");
    }
}

/// Put there by tests/install.
fn schemathesis() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rest/.venv/bin/schemathesis")
}

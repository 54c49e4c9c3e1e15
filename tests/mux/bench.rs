//! The measurement itself: what it prints and what it leaves behind. How fast anything is, no test says.
use crate::common::*;

#[test]
fn every_row_is_there_without_tmux() {
    let mut sandbox = Sandbox::new();
    sandbox.set_patience(DEADLINE * 6);
    sandbox.stub("tmux", "exit 1");
    let report = sandbox.json(&["bench", "--megabytes", "1", "--keys", "10"]);
    let workloads = report["throughput"].as_array().expect("a list of workloads");
    assert_eq!(workloads.len(), 3, "{report}");
    for row in workloads {
        assert!(row["inspan"]["mb_per_s"].as_f64().is_some_and(|speed| speed > 0.0), "{row}");
        assert!(row["inspan"]["sent_bytes"].as_u64().is_some_and(|sent| sent > 0), "{row}");
        assert!(row["tmux"].is_null() && row["ratio"].is_null(), "{row}");
    }
    assert_eq!(report["echo"]["inspan"]["all_us"].as_array().map(Vec::len), Some(10), "{report}");
    assert!(report["idle"]["inspan"]["rss_mb"].as_f64().is_some_and(|memory| memory > 1.0), "{report}");
    assert_eq!(sandbox.processes(), [], "the bench ends what it started");
}

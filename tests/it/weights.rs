//! The trained networks that come with the program load and perform their task.

use crate::command::{fine, hebbian};
use std::path::Path;

#[test]
fn the_networks_in_the_box_are_right_on_fresh_trials() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for task in ["dnms", "selective-integration"] {
        let file = format!("weights/{task}.safetensors");
        // A separate seed, so that the networks were not selected on these trials.
        let ran = fine(hebbian(&["evaluate", &file, "--trials", "40", "--seed", "7", "--json"], root));
        assert_eq!(ran.stderr, "", "{file}");
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((&json["task"], json["networks"].as_array().unwrap().len()), (&task.into(), 1));
        let correct = json["networks"][0]["fraction_correct"].as_f64().unwrap();
        assert!(correct >= 0.95, "{file}: {correct}");
        fine(hebbian(&["inspect", &file], root));
    }
}

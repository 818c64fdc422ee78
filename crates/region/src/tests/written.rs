//! What is written is read back to the same.

use crate::{parse, write};

#[test]
fn a_written_region_reads_back_to_the_same() {
    for example in ["demo.yaml", "halland.yaml"] {
        let path = format!("{}/../../docs/examples/{example}", env!("CARGO_MANIFEST_DIR"));
        let region = parse(example, &std::fs::read_to_string(path).unwrap()).unwrap().region;
        let text = write(&region).unwrap();
        let again = parse("written.yaml", &text).unwrap_or_else(|findings| panic!("{findings:?}\n{text}"));
        assert_eq!(again.region, region, "{example}");
        assert!(again.check().is_empty());
        assert!(text.lines().any(|line| line == "    country: SE" || line == "    country: \"NO\""), "{text}");
    }
}

//! Files stay small enough to read in one sitting.

use crate::rust_files;

const MOST_LINES: usize = 500;

#[test]
fn no_source_file_is_too_long() {
    let root = samtal_tests::workspace_root();
    let files = rust_files(&root);
    assert!(files.len() > 10, "the search works");
    let long: Vec<String> = files
        .iter()
        .map(|path| (path.strip_prefix(&root).unwrap(), std::fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", path.display()))
        .collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines, to be split:\n{}", long.join("\n"));
}

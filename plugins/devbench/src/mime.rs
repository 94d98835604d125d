//! Media types by the ends of file names.

const KNOWN: [(&str, &str); 16] = [
    ("txt", "text/plain"),
    ("md", "text/markdown"),
    ("py", "text/x-python"),
    ("js", "text/javascript"),
    ("json", "application/json"),
    ("xml", "application/xml"),
    ("html", "text/html"),
    ("css", "text/css"),
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("pdf", "application/pdf"),
    ("zip", "application/zip"),
    ("tar", "application/x-tar"),
    ("gz", "application/gzip"),
];

/// What a file most likely holds.
pub(crate) fn of(path: &str) -> &'static str {
    let name = path.rsplit('/').next().unwrap_or_default();
    let end = name.rsplit_once('.').map(|(_, end)| end).unwrap_or_default();
    let known = KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(end));
    known.map_or("application/octet-stream", |(_, kind)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_what_its_name_ends_with() {
        assert_eq!(of("/workspace/a.py"), "text/x-python");
        assert_eq!(of("A.JSON"), "application/json");
        assert_eq!(of("archive.tar.gz"), "application/gzip");
        assert_eq!(of("program.rs"), "application/octet-stream");
        assert_eq!(of("v1.md/Makefile"), "application/octet-stream");
        assert_eq!(of(""), "application/octet-stream");
    }
}

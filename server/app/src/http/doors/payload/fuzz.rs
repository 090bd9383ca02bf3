//! Whatever stands in a Range header.

use super::{Asked, parse};

/// How many bytes there are (one byte), and the header: a part lies within them, as it says.
pub(crate) fn range(data: &[u8]) {
    let Some((total, range)) = data.split_first() else { return };
    let (total, Ok(range)) = (usize::from(*total), std::str::from_utf8(range)) else { return };
    if let Asked::Part(from, to) = parse(range, total) {
        assert!(from <= to && to < total, "{from} to {to} of {total}");
        assert_eq!(parse(&format!("bytes={from}-{to}"), total), Asked::Part(from, to));
        let said = range.strip_prefix("bytes=").expect("the unit");
        assert!(
            said.chars().all(|char| char.is_ascii_digit() || char == '-' || char.is_whitespace()),
            "{said}"
        );
    }
}

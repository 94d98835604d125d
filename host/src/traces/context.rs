//! To which trace something belongs, as the W3C's Trace Context writes it.

use std::fmt;

/// How long the `tracestate` of a client may be. A longer one is left out, as the standard allows.
const LONGEST_STATE: usize = 512;
const SAMPLED: u8 = 1;

/// A number of so many bytes, none of which is ever all zeros.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Id<const N: usize>([u8; N]);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    pub(super) trace: Id<16>,
    pub(super) span: Id<8>,
    /// Whether whoever began the trace collects it.
    pub(super) sampled: bool,
    /// What others have to say of it.
    pub(super) state: Option<String>,
}

impl<const N: usize> Id<N> {
    pub(super) fn random() -> Self {
        let mut bytes = [0; N];
        // Without randomness there is no host at all; then all have the same one.
        if getrandom::fill(&mut bytes).is_err() || bytes == [0; N] {
            bytes = [1; N];
        }
        Self(bytes)
    }

    fn read(text: &str) -> Option<Self> {
        let lower = |it: u8| it.is_ascii_digit() || (b'a'..=b'f').contains(&it);
        if text.len() != 2 * N || !text.bytes().all(lower) {
            return None;
        }
        let mut bytes = [0; N];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()?;
        }
        (bytes != [0; N]).then_some(Self(bytes))
    }
}

impl<const N: usize> fmt::Display for Id<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl<const N: usize> fmt::Debug for Id<N> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl Context {
    /// From the headers `traceparent` and `tracestate`. None: it is none that can be read, and does not count.
    pub fn read(parent: &str, state: Option<&str>) -> Option<Self> {
        let mut parts = parent.trim().split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let known = version == "00" && parts.next().is_none();
        // A later version may say more at its end.
        let later = Id::<1>::read(version).is_some() && version != "ff";
        if !known && !later || flags.len() != 2 {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        let printable = |it: &&str| {
            !it.is_empty()
                && it.len() <= LONGEST_STATE
                && it.bytes().all(|it| (32..127).contains(&it))
        };
        Some(Self {
            trace: Id::read(trace)?,
            span: Id::read(span)?,
            sampled: flags & SAMPLED != 0,
            state: state.filter(printable).map(str::to_owned),
        })
    }

    /// A part of this one, or a beginning.
    pub(super) fn below(parent: Option<Self>) -> Self {
        let span = Id::random();
        match parent {
            Some(parent) => Self { span, ..parent },
            None => Self { trace: Id::random(), span, sampled: true, state: None },
        }
    }
}

impl fmt::Display for Context {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "00-{}-{}-{:02x}", self.trace, self.span, u8::from(self.sampled))
    }
}

/// Whether this one is among such a part of all.
pub(super) fn chosen(part: f64) -> bool {
    let Id(bytes) = Id::<4>::random();
    f64::from(u32::from_le_bytes(bytes)) < part * (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_is_read_as_the_standard_says() {
        let read = Context::read(GOOD, Some("vendor=1")).unwrap();
        assert_eq!(read.to_string(), GOOD);
        assert_eq!((read.sampled, read.state.as_deref()), (true, Some("vendor=1")));
        let later = GOOD.replacen("00", "cc", 1) + "-what-the-future-brings";
        assert_eq!(Context::read(&later, None).unwrap().to_string(), GOOD);
        assert!(!Context::read(&GOOD.replace("-01", "-00"), None).unwrap().sampled);
    }

    #[test]
    fn what_is_none_does_not_count() {
        for wrong in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e47ä6-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0\n",
        ] {
            assert_eq!(Context::read(wrong, None), None, "{wrong}");
        }
        let long = "x".repeat(LONGEST_STATE + 1);
        assert_eq!(Context::read(GOOD, Some(&long)).unwrap().state, None);
        assert_eq!(Context::read(GOOD, Some("a\nb")).unwrap().state, None);
    }

    #[test]
    fn a_part_of_all_is_chosen() {
        assert!((0..100).all(|_| chosen(1.0) && !chosen(0.0)));
    }
}

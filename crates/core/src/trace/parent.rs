//! The header `traceparent`: `00-<trace>-<span>-<flags>`, all in lower-case hexadecimal digits.

use super::ids::random;

/// What a request says of the trace that it belongs to. The span is the sender's own and of no use to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    /// 32 digits.
    pub(crate) trace: String,
    /// Does the sender record this trace?
    pub(crate) sampled: bool,
}

impl Parent {
    /// The beginning of a trace. Nothing is recorded here, so nothing says that it is.
    pub(crate) fn new() -> Self {
        Self { trace: format!("{:016x}{:016x}", random(), random()), sampled: false }
    }

    /// Reads the header; none if it breaks the rules, in which case a trace begins anew.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split('-');
        let [version, trace, span, flags] = [fields.next()?, fields.next()?, fields.next()?, fields.next()?];
        let known = version == "00";
        // Later versions may have more fields.
        if !is_hex(version, 2) || version == "ff" || (known && fields.next().is_some()) {
            return None;
        }
        if !is_hex(trace, 32) || !is_hex(span, 16) || !is_hex(flags, 2) || is_zero(trace) || is_zero(span) {
            return None;
        }
        let flags = u8::from_str_radix(flags, 16).ok()?;
        Some(Self { trace: trace.to_owned(), sampled: flags & 1 == 1 })
    }

    /// The header for one request to another machine, which is a span of its own.
    pub(crate) fn child(&self) -> String {
        format!("00-{}-{:016x}-{:02x}", self.trace, random(), u8::from(self.sampled))
    }
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(digits: &str) -> bool {
    digits.bytes().all(|digit| digit == b'0')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The recommendation's own example.
    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_span_of_ones_own_in_the_same_trace() {
        let parent = Parent::parse(EXAMPLE).unwrap();
        assert_eq!(parent, Parent { trace: "4bf92f3577b34da6a3ce929d0e0e4736".into(), sampled: true });
        let [first, second] = [parent.child(), parent.child()];
        assert_ne!(first, second);
        for child in [first, second] {
            assert_eq!(Parent::parse(&child), Some(parent.clone()));
            assert_ne!(child, EXAMPLE);
        }
    }

    #[test]
    fn rules() {
        for good in [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-what-the-future-brings",
        ] {
            assert_eq!(Parent::parse(good).map(|parent| parent.sampled), Some(false), "{good}");
        }
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
        ] {
            assert_eq!(Parent::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_refused(text in "\\PC{0,70}", sampled: bool) {
            let _ = Parent::parse(&text);
            let begun = Parent { sampled, ..Parent::new() };
            prop_assert_eq!(Parent::parse(&begun.child()), Some(begun));
        }
    }
}

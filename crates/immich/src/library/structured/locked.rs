//! Pictures of the locked folder, and who may ask for them.
use super::{Branch, Condition, Filter, Operand, Test, fields::VISIBILITY};

impl Filter {
    /// Does it ask for locked pictures, or let them through knowingly? What is said for all decides, else any branch.
    pub(crate) fn asks_for_locked(&self) -> bool {
        match self.top.lets_locked_through() {
            Some(locked) => locked,
            None => self.any.iter().any(|branch| branch.lets_locked_through() == Some(true)),
        }
    }

    /// Without a word on where pictures are shown, locked ones are shown to nobody who has not given the PIN.
    pub(crate) fn says_where(&self) -> bool {
        self.top.lets_locked_through().is_some()
    }
}

impl Branch {
    /// None if it does not say where pictures are shown.
    fn lets_locked_through(&self) -> Option<bool> {
        let locked = Operand::Text("locked".to_owned());
        let tests = self.0.iter().filter_map(|condition| match condition {
            Condition::Column(column, test) if *column == VISIBILITY => Some(match test {
                Test::Is("=", name) => *name == locked,
                Test::Is(_, name) => *name != locked,
                Test::Among(yes, names) => names.contains(&locked) == *yes,
                Test::Null(_) | Test::Like { .. } => false,
            }),
            _ => None,
        });
        tests.reduce(|one, other| one && other)
    }
}

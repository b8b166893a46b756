//! Is an engine well? Decided by consecutive results, so that one bad answer takes nothing down and one good one
//! does not send a crowd to an engine that is just starting.

/// How many results in a row change the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Failures until an engine counts as down.
    pub failures: u32,
    /// Successes until it counts as up again.
    pub successes: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { failures: 2, successes: 2 }
    }
}

/// State of one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Health {
    thresholds: Thresholds,
    up: bool,
    /// Results in a row that speak against the state.
    against: u32,
}

impl Health {
    /// Up until shown otherwise: the first request needs no probe.
    pub(crate) fn new(thresholds: Thresholds) -> Self {
        Self { thresholds, up: true, against: 0 }
    }

    pub(crate) fn is_up(self) -> bool {
        self.up
    }

    /// Does nothing speak against the state?
    pub(crate) fn is_settled(self) -> bool {
        self.against == 0
    }

    /// Takes a result in, and tells whether the state changed.
    pub(crate) fn record_result(&mut self, well: bool) -> bool {
        if well == self.up {
            self.against = 0;
            return false;
        }
        self.against += 1;
        let enough = if self.up { self.thresholds.failures } else { self.thresholds.successes };
        let changed = self.against >= enough.max(1);
        if changed {
            self.up = well;
            self.against = 0;
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_results_in_a_row_change_the_state() {
        let mut health = Health::new(Thresholds { failures: 3, successes: 2 });
        let mut states = String::new();
        for result in "xx.xxx.x..xxx".chars() {
            health.record_result(result == '.');
            states.push(if health.is_up() { '.' } else { 'x' });
        }
        assert_eq!(states, ".....xxxx...x");
    }

    #[test]
    fn a_change_is_told_once() {
        let mut health = Health::new(Thresholds { failures: 2, successes: 1 });
        let changes: Vec<bool> =
            [false, false, false, true, true].map(|well| health.record_result(well)).into();
        assert_eq!(changes, [false, true, false, true, false]);
    }
}

//! Descriptors: what the system lets this process hold open, and how many connections fit into that.
use crate::config::Config;
use crate::failure::Failure;
use crate::{companion, listen};

/// For everything that is no connection of a client: models, the database, pictures, nodes, other programs. Where few are
/// allowed, a quarter of them.
const RESERVE: u64 = 256;
/// A connection through the companion has another one behind it, to Immich.
const BOTH_SIDES: u64 = 2;

/// How many connections each address takes at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Connections {
    /// Of `listen`.
    pub(crate) served: usize,
    /// Of `companion.listen`.
    pub(crate) companion: usize,
}

/// What is configured, and how much of it can be had.
#[derive(Debug)]
pub(crate) struct Plan {
    addresses: [usize; 2],
    wanted: Connections,
    /// Descriptors that this process may hold; none where the system has no such limit.
    limit: Option<u64>,
}

impl Plan {
    /// Raises the limit as far as it is needed and may be.
    pub(crate) fn of(config: &Config) -> Result<Self, Failure> {
        let served = listen::addresses(config).map_err(Failure::Usage)?.len();
        let companion = match config.companion.immich_url {
            Some(_) => companion::addresses(config).map_err(Failure::Usage)?.len(),
            None => 0,
        };
        let wanted =
            Connections { served: config.limits.connections, companion: config.companion.connections };
        let mut plan = Self { addresses: [served, companion], wanted, limit: None };
        plan.limit = raised(plan.descriptors().saturating_add(RESERVE));
        Ok(plan)
    }

    /// Descriptors of all connections that are wanted.
    fn descriptors(&self) -> u64 {
        let all = |addresses: usize, each: usize| (addresses as u64).saturating_mul(each as u64);
        let companion = all(self.addresses[1], self.wanted.companion);
        all(self.addresses[0], self.wanted.served).saturating_add(companion.saturating_mul(BOTH_SIDES))
    }

    /// As many as are wanted, or all in proportion to what there is.
    pub(crate) fn connections(&self) -> Connections {
        let wanted = self.descriptors();
        let Some(limit) = self.limit else { return self.wanted };
        let room = limit - RESERVE.min(limit / 4);
        if wanted <= room {
            return self.wanted;
        }
        let part = |each: usize| {
            let part = u128::from(room) * each as u128 / u128::from(wanted);
            usize::try_from(part).unwrap_or(each).max(1)
        };
        Connections { served: part(self.wanted.served), companion: part(self.wanted.companion) }
    }

    /// What was cut, in words.
    pub(crate) fn shortage(&self) -> Option<String> {
        let Connections { served, companion } = self.connections();
        let limit =
            self.limit.filter(|_| served < self.wanted.served || companion < self.wanted.companion)?;
        let behind = match self.addresses[1] {
            0 => String::new(),
            _ => format!(", and {companion} instead of {} (companion.connections)", self.wanted.companion),
        };
        Some(format!(
            "the system lets this process hold only {limit} files and connections, so each address takes {served} connections \
             instead of {} (limits.connections){behind}",
            self.wanted.served
        ))
    }

    /// What there is room for, in words.
    pub(crate) fn room(&self) -> String {
        let Connections { served, companion } = self.connections();
        let limit = self.limit.map_or_else(|| "no limit".to_owned(), |limit| limit.to_string());
        let behind = match self.addresses[1] {
            0 => String::new(),
            _ => format!(", {companion} through the companion"),
        };
        format!("{limit}; {served} connections to each address{behind}")
    }
}

/// Where more can be had.
pub(crate) const ADVICE: &str =
    "raise the limit: `ulimit -n`, LimitNOFILE= of a systemd unit, --ulimit nofile= of Docker";

/// Raises the limit towards this many, and answers what it is then.
#[cfg(unix)]
#[allow(clippy::unnecessary_cast, reason = "the width of the type differs between systems")]
fn raised(wanted: u64) -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: it fills in the structure, and keeps no reference.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return None;
    }
    let soft = limit.rlim_cur;
    let more = limit.rlim_max.min(wanted as libc::rlim_t);
    if more <= soft {
        return (soft != libc::RLIM_INFINITY).then_some(soft as u64);
    }
    // Some systems say that there is no hard limit and yet allow no more than this.
    #[cfg(target_vendor = "apple")]
    let more = more.min(libc::OPEN_MAX as libc::rlim_t).max(soft);
    limit.rlim_cur = more;
    // SAFETY: it reads the structure, and keeps no reference.
    let raised = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0;
    Some(if raised { more } else { soft } as u64)
}

#[cfg(not(unix))]
fn raised(_: u64) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(addresses: [usize; 2], limit: Option<u64>) -> Plan {
        Plan { addresses, wanted: Connections { served: 1024, companion: 4096 }, limit }
    }

    #[test]
    fn what_fits_is_left_as_it_is() {
        for (addresses, limit) in [([1, 0], 1280), ([2, 0], 2304), ([1, 1], 9472), ([1, 1], u64::MAX)] {
            let plan = plan(addresses, Some(limit));
            assert_eq!(plan.connections(), plan.wanted, "{limit}");
            assert_eq!(plan.shortage(), None);
        }
        assert_eq!(plan([9, 9], None).shortage(), None);
    }

    #[test]
    fn what_does_not_fit_is_cut_in_proportion_and_leaves_a_reserve() {
        for addresses in [[1, 0], [3, 0], [1, 1], [4, 2]] {
            for limit in [64, 256, 1024, 1279] {
                let plan = plan(addresses, Some(limit));
                let Connections { served, companion } = plan.connections();
                let used = addresses[0] * served + 2 * addresses[1] * companion;
                assert!(used as u64 <= limit - RESERVE.min(limit / 4), "{addresses:?} {limit}: {used}");
                assert!(served >= 1 && companion >= served, "{addresses:?} {limit}");
                let said = plan.shortage().unwrap();
                assert!(said.contains(&limit.to_string()) && said.contains("limits.connections"), "{said}");
                assert_eq!(said.contains("companion.connections"), addresses[1] > 0, "{said}");
            }
        }
        assert_eq!(plan([1, 0], Some(1024)).connections().served, 768);
    }

    #[test]
    #[cfg(unix)]
    fn the_limit_is_never_lowered() {
        let before = raised(0).unwrap();
        assert!(raised(before + 1).unwrap() >= before);
        assert!(raised(1).unwrap() >= before);
    }
}

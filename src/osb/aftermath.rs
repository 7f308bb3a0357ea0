//! `instance_usable` and `update_repeatable`: what a failure left behind.

/// What a failed update or deprovision left behind. Only these two may say so (spec: "Service broker errors"),
/// where true is the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aftermath {
    /// Another operation, or nothing to say.
    #[default]
    Unsaid,
    /// After a deprovision.
    Deprovision {
        /// The instance can still be used.
        instance_usable: bool,
    },
    /// After an update.
    Update {
        /// The instance can still be used.
        instance_usable: bool,
        /// The same update may work another time.
        update_repeatable: bool,
    },
}

impl Aftermath {
    /// The value on the wire.
    pub fn instance_usable(self) -> Option<bool> {
        match self {
            Self::Unsaid => None,
            Self::Deprovision { instance_usable } | Self::Update { instance_usable, .. } => Some(instance_usable),
        }
    }

    /// The value on the wire.
    pub fn update_repeatable(self) -> Option<bool> {
        match self {
            Self::Update { update_repeatable, .. } => Some(update_repeatable),
            Self::Unsaid | Self::Deprovision { .. } => None,
        }
    }
}

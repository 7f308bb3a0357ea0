//! The states that rows can be in, as the migrations' check constraints list them.

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
        #[sqlx(type_name = "text")]
        pub enum $name {
            $($(#[$vdoc])* #[sqlx(rename = $text)] $variant,)*
        }

        impl $name {
            /// As the database writes it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

text_enum! {
    /// What owns resources.
    OwnerKind {
        /// A service instance.
        Instance = "instance",
        /// A service binding.
        Binding = "binding",
    }
}

text_enum! {
    /// The state of an instance or a binding.
    State {
        /// Its provision or bind runs.
        Creating = "creating",
        /// It can be used.
        Ready = "ready",
        /// Its provision or bind failed; what it made is gone or being removed.
        Failed = "failed",
        /// Its deprovision or unbind runs.
        Deleting = "deleting",
        /// Gone; the row is its tombstone.
        Deleted = "deleted",
    }
}

text_enum! {
    /// What an operation does.
    OperationKind {
        /// Makes an instance.
        Provision = "provision",
        /// Changes an instance.
        Update = "update",
        /// Removes an instance.
        Deprovision = "deprovision",
        /// Makes a binding.
        Bind = "bind",
        /// Removes a binding.
        Unbind = "unbind",
        /// Ours: ensures a live binding's resources again after its instance was updated.
        Refresh = "refresh",
        /// Ours: goes on removing what a failed operation left, after the platform was told.
        Cleanup = "cleanup",
    }
}

text_enum! {
    /// How far an operation is.
    OperationState {
        /// It runs.
        InProgress = "in progress",
        /// It did what was asked.
        Succeeded = "succeeded",
        /// It did not, and what it did is undone or being undone.
        Failed = "failed",
        /// A DELETE took its place.
        Superseded = "superseded",
    }
}

text_enum! {
    /// What an operation is busy with.
    Phase {
        /// Not begun; a deprovision asks every resource whether it may go.
        Check = "check",
        /// Towards what was asked.
        Forward = "forward",
        /// Waiting for operations of the instance's bindings.
        Bindings = "bindings",
        /// Back to what was before.
        Undo = "undo",
    }
}

text_enum! {
    /// The state of one resource.
    ResourceState {
        /// Its row is committed; no call was made.
        Planned = "planned",
        /// A call that creates it may have been made.
        Creating = "creating",
        /// It is as desired.
        Ready = "ready",
        /// It was ready and is being changed.
        Updating = "updating",
        /// A call that deletes it may have been made.
        Deleting = "deleting",
        /// Left in AWS on purpose.
        Retained = "retained",
        /// An operator told the broker to forget it.
        Abandoned = "abandoned",
    }
}

/// Which part of the engine works for an owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    /// The platform polls.
    Async,
    /// A request waits for the answer: served by workers that nothing else may occupy.
    Sync,
}

impl Lane {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Async, Self::Sync];

    /// The word for it in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Async => "async",
            Self::Sync => "sync",
        }
    }

    /// As the database writes it.
    pub fn number(self) -> i16 {
        match self {
            Self::Async => 0,
            Self::Sync => 1,
        }
    }
}

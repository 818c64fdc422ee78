//! What kinds of danger are looked for.

use std::fmt;

use kernel::Severity;

/// A kind of danger. Each has its own telephone numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Category {
    Suicide,
    SelfHarm,
    /// Acute medical danger: chest pain, signs of a stroke, breathing, unconsciousness, severe bleeding, anaphylaxis.
    DangerToLife,
    /// Too much medicine, or poison.
    Overdose,
    /// Violence and threats between adults, domestic violence included.
    Violence,
    /// A child is hurt, abused or neglected, or somebody fears so.
    ChildAtRisk,
}

impl Category {
    pub const ALL: &'static [Self] =
        &[Self::Suicide, Self::SelfHarm, Self::DangerToLife, Self::Overdose, Self::Violence, Self::ChildAtRisk];

    /// The code in word lists, tables and events.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Suicide => "suicide",
            Self::SelfHarm => "self_harm",
            Self::DangerToLife => "danger_to_life",
            Self::Overdose => "overdose",
            Self::Violence => "violence",
            Self::ChildAtRisk => "child_at_risk",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|category| category.code() == code)
    }

    /// The least severity of a finding in this category; single phrases may lie higher.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Suicide | Self::DangerToLife | Self::Overdose => Severity::Emergency,
            Self::SelfHarm | Self::Violence | Self::ChildAtRisk => Severity::Urgent,
        }
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

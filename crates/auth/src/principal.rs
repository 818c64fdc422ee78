//! Somebody who calls.

/// What a caller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Nobody: no token.
    Anonymous,
    /// The visitor of one case.
    Visitor,
    Worker,
    /// Sees only what is assigned to them.
    Volunteer,
    /// Leads clinics.
    Leader,
    /// A journal system or another integrator of one organisation.
    Integrator,
    /// Runs the region's installation.
    Operator,
    /// Another service of the suite.
    Service,
}

impl Role {
    pub const ALL: &'static [Self] =
        &[Self::Anonymous, Self::Visitor, Self::Worker, Self::Volunteer, Self::Leader, Self::Integrator, Self::Operator, Self::Service];

    pub const fn code(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Visitor => "visitor",
            Self::Worker => "worker",
            Self::Volunteer => "volunteer",
            Self::Leader => "leader",
            Self::Integrator => "integrator",
            Self::Operator => "operator",
            Self::Service => "service",
        }
    }

    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.code() == code)
    }

    /// Whether it is a person who answers visitors.
    pub const fn is_staff(self) -> bool {
        matches!(self, Self::Worker | Self::Volunteer | Self::Leader)
    }
}

/// Somebody who calls, as their token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub role: Role,
    /// A visitor's, worker's, integrator's id, or the service's name; empty for nobody.
    pub id: String,
    /// Empty for nobody, operators and services.
    pub organisation: String,
    /// Of workers and leaders.
    pub clinics: Vec<String>,
}

impl Principal {
    pub fn anonymous() -> Self {
        Self { role: Role::Anonymous, id: String::new(), organisation: String::new(), clinics: Vec::new() }
    }

    pub fn operator() -> Self {
        Self { role: Role::Operator, id: "operator".to_owned(), organisation: String::new(), clinics: Vec::new() }
    }

    pub fn service(name: &str) -> Self {
        Self { role: Role::Service, id: name.to_owned(), organisation: String::new(), clinics: Vec::new() }
    }

    /// One name for this caller among all, under which its idempotent answers are kept.
    pub fn key(&self) -> String {
        format!("{}/{}/{}", self.role.code(), self.organisation, self.id)
    }
}

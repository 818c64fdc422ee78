//! Who may call what, and whose. One table; what is not in it is refused.
//!
//! The role is checked before the handler runs; the reach is checked by the handler, once it knows whose thing it is.
//! A thing out of reach is NOT_FOUND, exactly like one that does not exist.

use crate::{Principal, Role};

/// How far a caller's right goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// What is the caller's own: a visitor's case, a worker's offer.
    Own,
    /// Cases that the worker holds.
    Held,
    /// The caller's clinics.
    Clinic,
    /// The caller's organisation.
    Organisation,
    /// Everything.
    Region,
}

/// Whose a thing is. What does not apply stays empty, and an empty field matches nobody.
#[derive(Clone, Debug, Default)]
pub struct Resource<'a> {
    pub organisation: &'a str,
    pub clinic: &'a str,
    /// The visitor of the case, or the one caller whose thing it is.
    pub owner: &'a str,
    /// The worker who has the case.
    pub holder: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Allow,
    /// The role may do this, but not to this thing.
    OutOfReach,
    /// The role may not do this at all.
    Denied,
}

use Reach::{Clinic, Held, Organisation, Own, Region};
use Role::{Anonymous, Integrator, Leader, Operator, Service, Visitor, Volunteer, Worker};

type Rules = &'static [(Role, Reach)];

const STAFF_CLINIC: Rules = &[(Worker, Clinic), (Leader, Clinic), (Volunteer, Held)];

/// Every RPC with those who may call it. gRPC paths without the leading slash.
pub const POLICY: &[(&str, Rules)] = &[
    // access
    ("samtal.access.v1.AccessService/IssueToken", &[(Operator, Region), (Leader, Clinic)]),
    (
        "samtal.access.v1.AccessService/RevokeToken",
        &[(Visitor, Own), (Worker, Own), (Volunteer, Own), (Operator, Region), (Leader, Clinic)],
    ),
    ("samtal.access.v1.AccessService/Introspect", &[(Service, Region)]),
    ("samtal.access.v1.AccessService/KeepSession", &[(Worker, Own), (Volunteer, Own), (Leader, Own), (Operator, Own)]),
    // The pages', and only in demo mode.
    ("samtal.access.v1.AccessService/ListDemoLogins", &[(Service, Region)]),
    ("samtal.access.v1.AccessService/SignInDemo", &[(Service, Region)]),
    // The pages', for whom they have made sure of.
    ("samtal.access.v1.SignInService/BeginSession", &[(Service, Region)]),
    ("samtal.access.v1.SignInService/ListSessions", &[(Worker, Own), (Volunteer, Own), (Leader, Own), (Operator, Own)]),
    ("samtal.access.v1.SignInService/EndSessions", &[(Worker, Own), (Volunteer, Own), (Leader, Own), (Operator, Own)]),
    ("samtal.access.v1.InvitationService/InviteWorker", &[(Operator, Region), (Leader, Clinic)]),
    ("samtal.access.v1.InvitationService/ListStaffAccess", &[(Operator, Region), (Leader, Clinic)]),
    ("samtal.access.v1.InvitationService/WithdrawInvitation", &[(Operator, Region), (Leader, Clinic)]),
    ("samtal.access.v1.InvitationService/RemoveAccess", &[(Operator, Region), (Leader, Clinic)]),
    // The pages', for whoever has a link or a code.
    ("samtal.access.v1.InvitationService/GetWaysIn", &[(Service, Region)]),
    ("samtal.access.v1.InvitationService/GetInvitation", &[(Service, Region)]),
    ("samtal.access.v1.InvitationService/AcceptInvitation", &[(Service, Region)]),
    ("samtal.access.v1.InvitationService/RequestCode", &[(Service, Region)]),
    ("samtal.access.v1.InvitationService/SignInWithCode", &[(Service, Region)]),
    // Notifications'.
    ("samtal.access.v1.InvitationService/GetAccessMail", &[(Service, Region)]),
    ("samtal.access.v1.PasskeyService/AddPasskey", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.access.v1.PasskeyService/ListPasskeys", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.access.v1.PasskeyService/RemovePasskey", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.access.v1.PasskeyService/SignInWithPasskey", &[(Service, Region)]),
    // config
    ("samtal.config.v1.ConfigService/ValidateRegion", &[(Operator, Region)]),
    ("samtal.config.v1.ConfigService/DiffRegion", &[(Operator, Region)]),
    ("samtal.config.v1.ConfigService/ApplyRegion", &[(Operator, Region)]),
    ("samtal.config.v1.ConfigService/ExportRegion", &[(Operator, Region)]),
    ("samtal.config.v1.ConfigService/ListDrift", &[(Operator, Region), (Service, Region)]),
    // log
    ("samtal.log.v1.EventLogService/Read", &[(Service, Region)]),
    ("samtal.log.v1.EventLogService/Heads", &[(Service, Region), (Operator, Region)]),
    ("samtal.log.v1.EventLogService/Watch", &[(Integrator, Organisation)]),
    ("samtal.log.v1.EventLogService/ListCursors", &[(Service, Region), (Operator, Region)]),
    ("samtal.log.v1.EventLogService/Rejoin", &[(Operator, Region)]),
    ("samtal.log.v1.EventLogService/ListDeadLetters", &[(Operator, Region)]),
    ("samtal.log.v1.EventLogService/ReplayDeadLetter", &[(Operator, Region)]),
    ("samtal.log.v1.EventLogService/DropDeadLetter", &[(Operator, Region)]),
    ("samtal.log.v1.EventLogService/VerifyAudit", &[(Operator, Region)]),
    ("samtal.log.v1.EventLogService/TraceCase", &[(Operator, Region)]),
    // intake: cases
    (
        "samtal.intake.v1.CaseService/GetEntryPoint",
        &[
            (Anonymous, Region),
            (Visitor, Region),
            (Worker, Region),
            (Volunteer, Region),
            (Leader, Region),
            (Integrator, Region),
            (Operator, Region),
            (Service, Region),
        ],
    ),
    (
        "samtal.intake.v1.CaseService/ListEntryPoints",
        &[
            (Anonymous, Region),
            (Visitor, Region),
            (Worker, Region),
            (Volunteer, Region),
            (Leader, Region),
            (Integrator, Region),
            (Operator, Region),
            (Service, Region),
        ],
    ),
    ("samtal.intake.v1.CaseService/OfferReturnPhrase", &[(Anonymous, Region)]),
    ("samtal.intake.v1.CaseService/OpenCase", &[(Anonymous, Region), (Worker, Clinic), (Leader, Clinic), (Integrator, Organisation)]),
    (
        "samtal.intake.v1.CaseService/GetCase",
        &[(Visitor, Own), (Worker, Clinic), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation), (Service, Region)],
    ),
    ("samtal.intake.v1.CaseService/ListCases", &[(Worker, Clinic), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)]),
    ("samtal.intake.v1.CaseService/ResumeCase", &[(Anonymous, Region), (Visitor, Region)]),
    ("samtal.intake.v1.CaseService/SetCaseMode", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.CaseService/CloseCase", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.CaseService/ReopenCase", &[(Visitor, Own), (Worker, Clinic), (Leader, Clinic)]),
    ("samtal.intake.v1.CaseService/RateCase", &[(Visitor, Own)]),
    ("samtal.intake.v1.CaseService/GetSummary", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)]),
    ("samtal.intake.v1.CaseService/MarkDocumented", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)]),
    ("samtal.intake.v1.CaseService/ListContacts", &[(Worker, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.CaseService/RevealIdentity", &[(Visitor, Own)]),
    ("samtal.intake.v1.CaseService/RequestVideo", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Held)]),
    ("samtal.intake.v1.CaseService/ExportCase", &[(Visitor, Own)]),
    ("samtal.intake.v1.CaseService/ListAudit", &[(Visitor, Own), (Leader, Clinic)]),
    // intake: clinics
    ("samtal.intake.v1.ClinicService/ListRollout", &[(Leader, Clinic), (Operator, Region)]),
    ("samtal.intake.v1.ClinicService/SetRolloutStep", &[(Leader, Clinic), (Operator, Region)]),
    ("samtal.intake.v1.ClinicService/SetChange", &[(Leader, Clinic)]),
    ("samtal.intake.v1.ClinicService/RevertChange", &[(Leader, Clinic)]),
    ("samtal.intake.v1.ClinicService/ListChanges", &[(Leader, Organisation)]),
    ("samtal.intake.v1.ClinicService/ListItems", &[(Leader, Organisation)]),
    ("samtal.intake.v1.ClinicService/GetPracticeKey", &[(Worker, Clinic), (Volunteer, Clinic), (Leader, Clinic)]),
    // intake: files and referrals
    ("samtal.intake.v1.FileService/UploadAttachment", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Held)]),
    (
        "samtal.intake.v1.FileService/DownloadAttachment",
        &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)],
    ),
    ("samtal.intake.v1.ReferralService/ListReferralTargets", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.ReferralService/ListReferrals", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.ReferralService/ReferCase", &[(Worker, Held), (Volunteer, Held), (Leader, Held)]),
    (
        "samtal.intake.v1.ReferralService/ReportReferral",
        &[
            (Anonymous, Region),
            (Visitor, Region),
            (Worker, Region),
            (Volunteer, Region),
            (Leader, Region),
            (Integrator, Region),
            (Service, Region),
        ],
    ),
    // intake: transfer to another organisation
    ("samtal.intake.v1.TransferService/ProposeTransfer", &[(Worker, Held), (Leader, Held)]),
    ("samtal.intake.v1.TransferService/WithdrawTransfer", &[(Worker, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.TransferService/AnswerTransfer", &[(Visitor, Own)]),
    ("samtal.intake.v1.TransferService/GetTransfer", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.ClinicService/ListCannedReplies", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    // intake: conversations
    ("samtal.intake.v1.ConversationService/PostMessage", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Held)]),
    (
        "samtal.intake.v1.ConversationService/ListMessages",
        &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)],
    ),
    ("samtal.intake.v1.ConversationService/PostNote", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.ConversationService/ListNotes", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.intake.v1.ConversationService/SetTyping", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Held)]),
    (
        "samtal.intake.v1.ConversationService/Subscribe",
        &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)],
    ),
    (
        "samtal.intake.v1.ConversationService/Converse",
        &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Held), (Service, Region)],
    ),
    // triage
    (
        "samtal.triage.v1.TriageService/NextQuestion",
        &[(Anonymous, Region), (Visitor, Region), (Worker, Region), (Volunteer, Region), (Leader, Region), (Integrator, Region)],
    ),
    (
        "samtal.triage.v1.TriageService/GetTriage",
        &[(Worker, Clinic), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation), (Service, Region)],
    ),
    ("samtal.triage.v1.TriageService/SetSeverity", &[(Worker, Clinic), (Leader, Clinic)]),
    // routing
    ("samtal.routing.v1.RoutingService/SetPresence", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.routing.v1.RoutingService/ListPresence", &[(Worker, Clinic), (Leader, Clinic), (Volunteer, Own)]),
    ("samtal.routing.v1.RoutingService/ListOffers", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.routing.v1.RoutingService/WatchOffers", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.routing.v1.RoutingService/ListHandovers", &[(Worker, Own), (Leader, Own)]),
    ("samtal.routing.v1.RoutingService/AcceptOffer", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.routing.v1.RoutingService/DeclineOffer", &[(Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.routing.v1.RoutingService/ListQueue", &[(Worker, Clinic), (Leader, Clinic)]),
    ("samtal.routing.v1.RoutingService/ClaimCase", &[(Worker, Clinic), (Leader, Clinic)]),
    ("samtal.routing.v1.RoutingService/ReleaseCase", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.routing.v1.RoutingService/TransferCase", &[(Worker, Held), (Leader, Clinic)]),
    ("samtal.routing.v1.RoutingService/HandOver", &[(Worker, Own), (Volunteer, Own), (Leader, Clinic)]),
    (
        "samtal.routing.v1.RoutingService/GetExpectedWait",
        &[
            (Anonymous, Region),
            (Visitor, Region),
            (Worker, Region),
            (Volunteer, Region),
            (Leader, Region),
            (Integrator, Region),
            (Service, Region),
        ],
    ),
    ("samtal.routing.v1.RoutingService/GetPosition", &[(Visitor, Own), (Worker, Clinic), (Volunteer, Held), (Leader, Clinic)]),
    // Names of colleagues, queues and doors: a volunteer needs them to know whom they help and for whom.
    ("samtal.routing.v1.RoutingService/GetDirectory", &[(Worker, Organisation), (Volunteer, Organisation), (Leader, Organisation)]),
    ("samtal.routing.v1.RoutingService/Explain", &[(Leader, Clinic)]),
    ("samtal.routing.v1.RoutingService/AlertCase", &[(Service, Region)]),
    // scheduling
    (
        "samtal.scheduling.v1.SchedulingService/GetOpening",
        &[
            (Anonymous, Region),
            (Visitor, Region),
            (Worker, Region),
            (Volunteer, Region),
            (Leader, Region),
            (Integrator, Region),
            (Service, Region),
        ],
    ),
    ("samtal.scheduling.v1.SchedulingService/ListOpenings", &[(Worker, Region), (Leader, Region), (Integrator, Region), (Service, Region)]),
    ("samtal.scheduling.v1.SchedulingService/ListSlots", STAFF_CLINIC),
    ("samtal.scheduling.v1.SchedulingService/HoldSlot", &[(Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.scheduling.v1.SchedulingService/ConfirmBooking", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    ("samtal.scheduling.v1.SchedulingService/CancelBooking", &[(Visitor, Own), (Worker, Held), (Volunteer, Held), (Leader, Clinic)]),
    (
        "samtal.scheduling.v1.SchedulingService/GetBooking",
        &[(Visitor, Own), (Worker, Clinic), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation)],
    ),
    (
        "samtal.scheduling.v1.SchedulingService/ListBookings",
        &[(Visitor, Own), (Worker, Clinic), (Volunteer, Held), (Leader, Clinic), (Integrator, Organisation), (Service, Region)],
    ),
    ("samtal.scheduling.v1.SchedulingService/CountBookings", &[(Leader, Clinic)]),
    // notifications
    ("samtal.notifications.v1.NotificationService/SetContact", &[(Visitor, Own), (Worker, Held), (Volunteer, Held)]),
    ("samtal.notifications.v1.NotificationService/ListNotifications", &[(Visitor, Own), (Worker, Own), (Volunteer, Own), (Leader, Own)]),
    ("samtal.notifications.v1.NotificationService/MarkSeen", &[(Visitor, Own), (Worker, Own), (Volunteer, Own), (Leader, Own)]),
    // insights
    ("samtal.insights.v1.InsightsService/GetReport", &[(Leader, Clinic), (Integrator, Organisation), (Operator, Region)]),
];

/// Who may call `rpc`; empty for what is not in the table.
pub fn rules(rpc: &str) -> Rules {
    POLICY.iter().find(|(path, _)| *path == rpc).map_or(&[], |(_, rules)| *rules)
}

/// How far `principal` reaches with `rpc`; None if it may not call it at all.
pub fn reach(principal: &Principal, rpc: &str) -> Option<Reach> {
    rules(rpc).iter().find(|(role, _)| *role == principal.role).map(|(_, reach)| *reach)
}

/// Whether `principal` may do `rpc` to `resource`.
pub fn decide(principal: &Principal, rpc: &str, resource: &Resource<'_>) -> Decision {
    let Some(reach) = reach(principal, rpc) else { return Decision::Denied };
    let same = |mine: &str, its: &str| !mine.is_empty() && mine == its;
    let organisation = same(&principal.organisation, resource.organisation);
    let within = match reach {
        Own => organisation && same(&principal.id, resource.owner),
        Held => organisation && same(&principal.id, resource.holder),
        Clinic => organisation && principal.clinics.iter().any(|clinic| same(clinic, resource.clinic)),
        Organisation => organisation,
        Region => true,
    };
    if within { Decision::Allow } else { Decision::OutOfReach }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worker(organisation: &str, clinic: &str) -> Principal {
        Principal { role: Worker, id: "anna".into(), organisation: organisation.into(), clinics: vec![clinic.into()] }
    }

    const POST: &str = "samtal.intake.v1.ConversationService/PostMessage";
    const GET: &str = "samtal.intake.v1.CaseService/GetCase";

    #[test]
    fn reach_ends_at_the_organisation_even_where_ids_are_the_same() {
        let case = Resource { organisation: "a", clinic: "one", owner: "v", holder: "anna" };
        assert_eq!(decide(&worker("a", "one"), POST, &case), Decision::Allow);
        assert_eq!(decide(&worker("b", "one"), POST, &case), Decision::OutOfReach);
        assert_eq!(decide(&worker("b", "one"), GET, &case), Decision::OutOfReach);
        assert_eq!(decide(&worker("a", "two"), GET, &case), Decision::OutOfReach);
    }

    #[test]
    fn nobody_matches_an_empty_field() {
        let nobody = Principal { role: Visitor, id: String::new(), organisation: String::new(), clinics: vec![String::new()] };
        assert_eq!(decide(&nobody, GET, &Resource::default()), Decision::OutOfReach);
    }

    #[test]
    fn what_is_not_in_the_table_is_refused() {
        for role in Role::ALL {
            let principal = Principal { role: *role, ..worker("a", "one") };
            assert_eq!(decide(&principal, "samtal.intake.v1.CaseService/Nonsense", &Resource::default()), Decision::Denied);
        }
    }

    #[test]
    fn only_services_and_operators_reach_beyond_an_organisation_for_anything_but_public_facts() {
        let public = [
            "GetEntryPoint",
            "ListEntryPoints",
            "GetExpectedWait",
            "ReportReferral",
            "OfferReturnPhrase",
            "OpenCase",
            "ResumeCase",
            "NextQuestion",
            "GetOpening",
            "ListOpenings",
        ];
        for (rpc, rules) in POLICY {
            let name = rpc.rsplit('/').next().unwrap();
            for (role, reach) in *rules {
                let trusted = matches!(role, Operator | Service);
                assert!(*reach != Region || trusted || public.contains(&name), "{rpc} lets {role:?} reach everything");
            }
        }
    }
}

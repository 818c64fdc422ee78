//! What each RPC leaves in the access log. A table beside the policy: who may read what, and what stays of their having read it.
//!
//! A row that cannot be written fails the read. A test calls every RPC and counts the rows.

/// What a call leaves in its service's access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaves {
    /// It changes something: the change's own row, in the same commit.
    Changes,
    /// A row for each case that it shows, each time.
    Cases,
    /// The same, but a visitor may look at their own place as often as they like.
    CasesToStaff,
    /// One row for the organisation: it shows persons, or a whole organisation's cases from now on, rather than a case.
    Many,
    /// Nothing: it shows no person and nothing of a case, or only to the suite itself and those who run it.
    Nobody,
}

use Leaves::{Cases, CasesToStaff, Changes, Many, Nobody};

/// Every RPC of the policy.
pub const ACCESS_LOG: &[(&str, Leaves)] = &[
    ("samtal.access.v1.AccessService/IssueToken", Changes),
    ("samtal.access.v1.AccessService/RevokeToken", Changes),
    ("samtal.access.v1.AccessService/Introspect", Nobody),
    // How long one's own token holds; nothing of anybody else's.
    ("samtal.access.v1.AccessService/KeepSession", Nobody),
    ("samtal.access.v1.AccessService/ListDemoLogins", Nobody),
    ("samtal.access.v1.AccessService/SignInDemo", Changes),
    ("samtal.access.v1.SignInService/BeginSession", Changes),
    // One's own.
    ("samtal.access.v1.SignInService/ListSessions", Nobody),
    ("samtal.access.v1.SignInService/EndSessions", Changes),
    ("samtal.access.v1.InvitationService/InviteWorker", Changes),
    ("samtal.access.v1.InvitationService/ListStaffAccess", Many),
    ("samtal.access.v1.InvitationService/WithdrawInvitation", Changes),
    ("samtal.access.v1.InvitationService/RemoveAccess", Changes),
    ("samtal.access.v1.InvitationService/GetWaysIn", Nobody),
    // The invited, to themselves.
    ("samtal.access.v1.InvitationService/GetInvitation", Nobody),
    ("samtal.access.v1.InvitationService/AcceptInvitation", Changes),
    ("samtal.access.v1.InvitationService/RequestCode", Changes),
    ("samtal.access.v1.InvitationService/SignInWithCode", Changes),
    // To notifications, which show it to its owner.
    ("samtal.access.v1.InvitationService/GetAccessMail", Nobody),
    ("samtal.access.v1.PasskeyService/AddPasskey", Changes),
    // One's own.
    ("samtal.access.v1.PasskeyService/ListPasskeys", Nobody),
    ("samtal.access.v1.PasskeyService/RemovePasskey", Changes),
    ("samtal.access.v1.PasskeyService/SignInWithPasskey", Changes),
    ("samtal.config.v1.ConfigService/ValidateRegion", Nobody),
    ("samtal.config.v1.ConfigService/DiffRegion", Nobody),
    ("samtal.config.v1.ConfigService/ApplyRegion", Changes),
    ("samtal.config.v1.ConfigService/ExportRegion", Nobody),
    ("samtal.config.v1.ConfigService/ListDrift", Nobody),
    ("samtal.log.v1.EventLogService/Read", Nobody),
    ("samtal.log.v1.EventLogService/Heads", Nobody),
    ("samtal.log.v1.EventLogService/Watch", Many),
    ("samtal.log.v1.EventLogService/ListCursors", Nobody),
    ("samtal.log.v1.EventLogService/Rejoin", Changes),
    ("samtal.log.v1.EventLogService/ListDeadLetters", Nobody),
    ("samtal.log.v1.EventLogService/ReplayDeadLetter", Changes),
    ("samtal.log.v1.EventLogService/DropDeadLetter", Changes),
    ("samtal.log.v1.EventLogService/VerifyAudit", Nobody),
    ("samtal.log.v1.EventLogService/TraceCase", Cases),
    ("samtal.intake.v1.CaseService/GetEntryPoint", Nobody),
    ("samtal.intake.v1.CaseService/ListEntryPoints", Nobody),
    ("samtal.intake.v1.CaseService/OfferReturnPhrase", Nobody),
    ("samtal.intake.v1.CaseService/OpenCase", Changes),
    ("samtal.intake.v1.CaseService/GetCase", Cases),
    ("samtal.intake.v1.CaseService/ListCases", Cases),
    ("samtal.intake.v1.CaseService/ResumeCase", Changes),
    ("samtal.intake.v1.CaseService/SetCaseMode", Changes),
    ("samtal.intake.v1.CaseService/CloseCase", Changes),
    ("samtal.intake.v1.CaseService/ReopenCase", Changes),
    ("samtal.intake.v1.CaseService/RateCase", Changes),
    ("samtal.intake.v1.CaseService/GetSummary", Cases),
    ("samtal.intake.v1.CaseService/MarkDocumented", Changes),
    ("samtal.intake.v1.CaseService/ListContacts", Cases),
    ("samtal.intake.v1.CaseService/RevealIdentity", Changes),
    ("samtal.intake.v1.CaseService/RequestVideo", Changes),
    ("samtal.intake.v1.CaseService/ExportCase", Cases),
    ("samtal.intake.v1.CaseService/ListAudit", Cases),
    ("samtal.intake.v1.ClinicService/ListCannedReplies", Cases),
    ("samtal.intake.v1.ClinicService/ListRollout", Nobody),
    ("samtal.intake.v1.ClinicService/SetRolloutStep", Changes),
    ("samtal.intake.v1.ClinicService/SetChange", Changes),
    ("samtal.intake.v1.ClinicService/RevertChange", Changes),
    ("samtal.intake.v1.ClinicService/ListChanges", Nobody),
    ("samtal.intake.v1.ClinicService/ListItems", Many),
    ("samtal.intake.v1.ClinicService/GetPracticeKey", Nobody),
    ("samtal.intake.v1.FileService/UploadAttachment", Changes),
    ("samtal.intake.v1.FileService/DownloadAttachment", Cases),
    ("samtal.intake.v1.ReferralService/ListReferralTargets", Cases),
    ("samtal.intake.v1.ReferralService/ListReferrals", Cases),
    ("samtal.intake.v1.ReferralService/ReferCase", Changes),
    ("samtal.intake.v1.ReferralService/ReportReferral", Changes),
    ("samtal.intake.v1.TransferService/ProposeTransfer", Changes),
    ("samtal.intake.v1.TransferService/WithdrawTransfer", Changes),
    ("samtal.intake.v1.TransferService/AnswerTransfer", Changes),
    ("samtal.intake.v1.TransferService/GetTransfer", Cases),
    ("samtal.intake.v1.ConversationService/PostMessage", Changes),
    ("samtal.intake.v1.ConversationService/ListMessages", Cases),
    ("samtal.intake.v1.ConversationService/PostNote", Changes),
    ("samtal.intake.v1.ConversationService/ListNotes", Cases),
    ("samtal.intake.v1.ConversationService/SetTyping", Nobody),
    ("samtal.intake.v1.ConversationService/Subscribe", Cases),
    ("samtal.intake.v1.ConversationService/Converse", Cases),
    ("samtal.triage.v1.TriageService/NextQuestion", Nobody),
    ("samtal.triage.v1.TriageService/GetTriage", Cases),
    ("samtal.triage.v1.TriageService/SetSeverity", Changes),
    ("samtal.routing.v1.RoutingService/SetPresence", Changes),
    ("samtal.routing.v1.RoutingService/ListPresence", Many),
    ("samtal.routing.v1.RoutingService/ListOffers", Cases),
    ("samtal.routing.v1.RoutingService/WatchOffers", Cases),
    ("samtal.routing.v1.RoutingService/ListHandovers", Cases),
    ("samtal.routing.v1.RoutingService/AcceptOffer", Changes),
    ("samtal.routing.v1.RoutingService/DeclineOffer", Changes),
    ("samtal.routing.v1.RoutingService/ListQueue", Cases),
    ("samtal.routing.v1.RoutingService/ClaimCase", Changes),
    ("samtal.routing.v1.RoutingService/ReleaseCase", Changes),
    ("samtal.routing.v1.RoutingService/TransferCase", Changes),
    ("samtal.routing.v1.RoutingService/HandOver", Changes),
    ("samtal.routing.v1.RoutingService/GetExpectedWait", Nobody),
    ("samtal.routing.v1.RoutingService/GetPosition", CasesToStaff),
    ("samtal.routing.v1.RoutingService/GetDirectory", Many),
    ("samtal.routing.v1.RoutingService/Explain", Cases),
    ("samtal.routing.v1.RoutingService/AlertCase", Changes),
    ("samtal.scheduling.v1.SchedulingService/GetOpening", Nobody),
    ("samtal.scheduling.v1.SchedulingService/ListOpenings", Nobody),
    ("samtal.scheduling.v1.SchedulingService/ListSlots", Nobody),
    ("samtal.scheduling.v1.SchedulingService/HoldSlot", Changes),
    ("samtal.scheduling.v1.SchedulingService/ConfirmBooking", Changes),
    ("samtal.scheduling.v1.SchedulingService/CancelBooking", Changes),
    ("samtal.scheduling.v1.SchedulingService/GetBooking", Cases),
    ("samtal.scheduling.v1.SchedulingService/ListBookings", Cases),
    ("samtal.scheduling.v1.SchedulingService/CountBookings", Nobody),
    ("samtal.notifications.v1.NotificationService/SetContact", Changes),
    ("samtal.notifications.v1.NotificationService/ListNotifications", Cases),
    ("samtal.notifications.v1.NotificationService/MarkSeen", Changes),
    ("samtal.insights.v1.InsightsService/GetReport", Nobody),
];

/// What `rpc` leaves; None for what is not in the table.
pub fn leaves(rpc: &str) -> Option<Leaves> {
    ACCESS_LOG.iter().find(|(path, _)| *path == rpc).map(|(_, leaves)| *leaves)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::POLICY;

    #[test]
    fn every_rpc_says_what_it_leaves() {
        for (rpc, _) in POLICY {
            assert!(leaves(rpc).is_some(), "{rpc}: say in the table what it leaves in the access log");
        }
        assert_eq!(ACCESS_LOG.len(), POLICY.len());
    }
}

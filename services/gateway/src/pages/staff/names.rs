//! What things are called in the caller's organisation. A thing without a name shows its id: better than nothing at all.

use proto::routing::{GetDirectoryRequest, GetDirectoryResponse, NamedClinic, NamedEntryPoint, NamedQueue, NamedWorker};

use crate::web::{Page, Problem, Staff};

pub struct Names {
    directory: GetDirectoryResponse,
}

impl Names {
    pub async fn load(page: &Page, staff: &Staff) -> Result<Self, Problem> {
        let request = GetDirectoryRequest { language: page.language().code().to_owned() };
        Ok(Self { directory: staff.calls.routing().get_directory(request).await?.into_inner() })
    }

    pub fn clinic<'a>(&'a self, id: &'a str) -> &'a str {
        let clinics = &self.directory.clinics;
        clinics.iter().find(|one| one.clinic_id == id).map_or(id, |one| one.name.as_str())
    }

    pub fn door<'a>(&'a self, id: &'a str) -> &'a str {
        self.directory.entry_points.iter().find(|one| one.entry_point_id == id).map_or(id, |one| one.name.as_str())
    }

    pub fn reason<'a>(&'a self, id: &'a str) -> &'a str {
        self.directory.contact_reasons.iter().find(|one| one.contact_reason_id == id).map_or(id, |one| one.name.as_str())
    }

    pub fn worker<'a>(&'a self, id: &'a str) -> &'a str {
        self.directory.workers.iter().find(|one| one.worker_id == id).map_or(id, |one| one.name.as_str())
    }

    /// `Nurse, Havet health centre`.
    pub fn queue(&self, page: &Page, id: &str) -> String {
        match self.queue_of(id) {
            Some(queue) => format!("{}, {}", page.say(&format!("profession-{}", queue.profession)), self.clinic(&queue.clinic_id)),
            None => id.to_owned(),
        }
    }

    pub fn queue_of(&self, id: &str) -> Option<&NamedQueue> {
        self.directory.queues.iter().find(|one| one.queue_id == id)
    }

    /// Clinics that have a queue.
    pub fn staffed_clinics(&self) -> impl Iterator<Item = &NamedClinic> {
        let queues = &self.directory.queues;
        self.directory.clinics.iter().filter(|clinic| queues.iter().any(|queue| queue.clinic_id == clinic.clinic_id))
    }

    /// Who answers at a clinic: the professions of its queues, one for each queue.
    pub fn professions_at<'a>(&'a self, clinic: &'a str) -> impl Iterator<Item = &'a str> {
        self.directory.queues.iter().filter(move |queue| queue.clinic_id == clinic).map(|queue| queue.profession.as_str())
    }

    /// Queues of these clinics.
    pub fn queues_at<'a>(&'a self, clinics: &'a [String]) -> impl Iterator<Item = &'a NamedQueue> {
        self.directory.queues.iter().filter(|queue| clinics.contains(&queue.clinic_id))
    }

    /// Queues that this worker answers; a leader's: all of their clinics.
    pub fn queues_of(&self, staff: &Staff) -> Vec<&NamedQueue> {
        let mine = self.workers().find(|one| one.worker_id == staff.id).map(|one| one.queue_ids.as_slice()).unwrap_or_default();
        let all = self.directory.queues.iter();
        let reach = all.filter(|one| staff.clinics.contains(&one.clinic_id));
        reach.filter(|one| staff.is_leader() || mine.contains(&one.queue_id)).collect()
    }

    pub fn workers(&self) -> impl Iterator<Item = &NamedWorker> {
        self.directory.workers.iter()
    }

    /// Doors of these clinics.
    pub fn doors<'a>(&'a self, clinics: &'a [String]) -> impl Iterator<Item = &'a NamedEntryPoint> {
        self.directory.entry_points.iter().filter(|one| clinics.contains(&one.clinic_id))
    }
}

//! The region as this service knows it: the description, one row per organisation, with leaders' changes on top, kept in memory as
//! one value.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kernel::{Error, Id, Result};
use log::{Committer, Origin, Receipt, Unit};
use region::drift::{Kind, overlay};
use region::{Drift, Organisation, Region};
use store::{Scoped, Tx, args};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a service finds wrong with a description beyond what [`region::validate`] finds: (path, what to do).
pub type Check = fn(&Region) -> Vec<(String, String)>;

/// How often a replica looks for what others applied.
const FOLLOW: Duration = Duration::from_secs(1);
/// Row that holds the region's own name, beside the organisations; no organisation can have this id.
const NAME: &str = "";

/// The two halves of what holds.
#[derive(Clone, Debug, Default, PartialEq)]
struct Parts {
    described: Region,
    /// By organisation, kind and item.
    drift: Vec<Drift>,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct RegionStore {
    parts: Arc<Mutex<Parts>>,
    current: watch::Sender<Arc<Region>>,
    check: Check,
}

impl RegionStore {
    pub(crate) async fn load(committer: &Committer, check: Check) -> Result<Self> {
        let parts = read(&committer.log().machinery()).await?;
        let current = overlay(&parts.described, &parts.drift).0;
        Ok(Self { parts: Arc::new(Mutex::new(parts)), current: watch::Sender::new(Arc::new(current)), check })
    }

    /// What holds: the description with leaders' changes on top.
    pub fn get(&self) -> Arc<Region> {
        self.current.borrow().clone()
    }

    /// Wakes whoever must act on a change of what holds.
    pub fn changes(&self) -> watch::Receiver<Arc<Region>> {
        self.current.subscribe()
    }

    /// The description as it was applied.
    pub fn described(&self) -> Region {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).described.clone()
    }

    /// Leaders' changes.
    pub fn drift(&self) -> Vec<Drift> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).drift.clone()
    }

    /// Everything that is wrong with `region` for this service.
    pub fn problems(&self, region: &Region) -> Vec<(String, String)> {
        let mut problems = region::validate(region);
        if problems.is_empty() {
            problems = (self.check)(region);
        }
        problems
    }

    /// `change` says whether it changed anything.
    fn replace(&self, change: impl FnOnce(&mut Parts) -> bool) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut parts) {
            // Sent while the parts are held, so that two changes cannot overtake each other.
            self.current.send_replace(Arc::new(overlay(&parts.described, &parts.drift).0));
        }
    }

    /// Takes `region` over in one transaction; false if it is the same as before.
    pub(crate) async fn apply(&self, committer: &Committer, origin: Origin, region: Region) -> Result<(bool, Receipt)> {
        if self.described() == region {
            return Ok((false, Receipt::default()));
        }
        let rows = rows(&region)?;
        let key = Id::derived(&[b"region"]);
        let (_, receipt) = committer
            .run(&key.to_string(), origin.of(""), move |unit| {
                let rows = rows.clone();
                Box::pin(async move {
                    unit.tx.exec("DELETE FROM region_part", args![]).await?;
                    for (organisation, body) in &rows {
                        unit.tx.exec("INSERT INTO region_part (organisation, body) VALUES ($1, $2)", args![organisation, body]).await?;
                    }
                    unit.audit(key, &log::Scope::default());
                    Ok(())
                })
            })
            .await?;
        self.replace(|parts| set(&mut parts.described, region));
        Ok((true, receipt))
    }

    /// Writes a leader's change, in place of an earlier one of the same thing; it holds once it is committed.
    pub async fn set_drift(&self, unit: &mut Unit<'_>, change: Drift) -> Result<()> {
        insert(unit.tx, &change).await?;
        let store = self.clone();
        unit.after_commit(move || {
            store.replace(|parts| {
                parts.drift.retain(|one| !same(one, &change));
                parts.drift.push(change);
                parts.drift.sort_by(|a, b| place(a).cmp(&place(b)));
                true
            });
        });
        Ok(())
    }

    /// The change of the same thing that is committed now, locked until the transaction ends.
    pub async fn standing_drift(&self, unit: &mut Unit<'_>, thing: &Drift) -> Result<Option<Drift>> {
        const SQL: &str = "SELECT body, set_by, set_at FROM region_drift WHERE organisation = $1 AND kind = $2 AND item = $3 FOR UPDATE";
        let row = unit.tx.row(SQL, args![&thing.organisation, thing.kind.code(), &thing.item]).await?;
        row.map(|row| Ok(Drift { body: row.text(0)?, set_by: row.text(1)?, set_at: row.int(2)?, ..thing.clone() })).transpose()
    }

    /// Takes a leader's change away; false if there is none.
    pub async fn revert_drift(&self, unit: &mut Unit<'_>, organisation: &str, kind: Kind, item: &str) -> Result<bool> {
        const SQL: &str = "DELETE FROM region_drift WHERE organisation = $1 AND kind = $2 AND item = $3";
        let gone = unit.tx.exec(SQL, args![organisation, kind.code(), item]).await? > 0;
        let (store, organisation, item) = (self.clone(), organisation.to_owned(), item.to_owned());
        unit.after_commit(move || {
            store.replace(|parts| {
                let before = parts.drift.len();
                parts.drift.retain(|one| place(one) != (organisation.as_str(), kind, item.as_str()));
                parts.drift.len() != before
            });
        });
        Ok(gone)
    }

    /// Takes over all changes as intake has them.
    pub(crate) async fn follow_drift(&self, committer: &Committer, mut drift: Vec<Drift>) -> Result<()> {
        drift.sort_by(|a, b| place(a).cmp(&place(b)));
        if self.drift() == drift {
            return Ok(());
        }
        let key = Id::derived(&[b"region drift"]);
        let all = drift.clone();
        committer
            .run(&key.to_string(), Origin::system("drift").of(""), move |unit| {
                let all = all.clone();
                Box::pin(async move {
                    unit.tx.exec("DELETE FROM region_drift", args![]).await?;
                    for change in &all {
                        insert(unit.tx, change).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        self.replace(|parts| set(&mut parts.drift, drift));
        Ok(())
    }

    /// Takes over what other replicas applied, until `shutdown`.
    pub(crate) async fn follow(self, db: Scoped, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(FOLLOW) => {}
                () = shutdown.cancelled() => return,
            }
            match read(&db).await {
                Ok(read) => self.replace(|parts| set(parts, read)),
                Err(error) => tracing::debug!(%error, "the region was not read again"),
            }
        }
    }
}

/// Whether that is something new.
fn set<T: PartialEq>(held: &mut T, new: T) -> bool {
    let changed = *held != new;
    *held = new;
    changed
}

fn place(change: &Drift) -> (&str, Kind, &str) {
    (&change.organisation, change.kind, &change.item)
}

fn same(a: &Drift, b: &Drift) -> bool {
    place(a) == place(b)
}

async fn insert(tx: &mut Tx, change: &Drift) -> Result<()> {
    tx.exec(
        "INSERT INTO region_drift (organisation, kind, item, body, set_by, set_at) VALUES ($1,$2,$3,$4,$5,$6) \
         ON CONFLICT (organisation, kind, item) DO UPDATE SET body = excluded.body, set_by = excluded.set_by, set_at = excluded.set_at",
        args![&change.organisation, change.kind.code(), &change.item, &change.body, &change.set_by, change.set_at],
    )
    .await?;
    Ok(())
}

fn rows(region: &Region) -> Result<Vec<(String, String)>> {
    let json = |error: serde_json::Error| Error::internal(format!("a region cannot be written: {error}"));
    let mut rows = vec![(NAME.to_owned(), serde_json::to_string(&region.region).map_err(json)?)];
    for (index, organisation) in region.organisations.iter().enumerate() {
        // The order is part of the description.
        rows.push((organisation.id.clone(), serde_json::to_string(&(index, organisation)).map_err(json)?));
    }
    Ok(rows)
}

async fn read(db: &Scoped) -> Result<Parts> {
    let json = |error: serde_json::Error| Error::internal(format!("the stored region cannot be read: {error}"));
    let mut region = Region::default();
    let mut organisations: Vec<(usize, Organisation)> = Vec::new();
    for row in db.rows("SELECT organisation, body FROM region_part", args![]).await? {
        let body = row.text(1)?;
        if row.text(0)? == NAME {
            region.region = serde_json::from_str(&body).map_err(json)?;
        } else {
            organisations.push(serde_json::from_str(&body).map_err(json)?);
        }
    }
    organisations.sort_by_key(|(index, _)| *index);
    region.organisations = organisations.into_iter().map(|(_, organisation)| organisation).collect();
    let mut drift = Vec::new();
    for row in db.rows("SELECT organisation, kind, item, body, set_by, set_at FROM region_drift", args![]).await? {
        let kind = Kind::from_code(&row.text(1)?).ok_or_else(|| Error::internal("a stored change is of no known kind"))?;
        drift.push(Drift {
            organisation: row.text(0)?,
            kind,
            item: row.text(2)?,
            body: row.text(3)?,
            set_by: row.text(4)?,
            set_at: row.int(5)?,
        });
    }
    drift.sort_by(|a, b| place(a).cmp(&place(b)));
    Ok(Parts { described: region, drift })
}

//! The region's description as this service knows it: one row per organisation, kept in memory as one value.

use std::sync::Arc;
use std::time::Duration;

use kernel::{Error, Id, Result};
use log::{Committer, Origin, Receipt};
use region::{Organisation, Region};
use store::{Scoped, args};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// What a service finds wrong with a description beyond what [`region::validate`] finds: (path, what to do).
pub type Check = fn(&Region) -> Vec<(String, String)>;

/// How often a replica looks for what others applied.
const FOLLOW: Duration = Duration::from_secs(1);
/// Row that holds the region's own name, beside the organisations; no organisation can have this id.
const NAME: &str = "";

/// Cheap to clone.
#[derive(Clone)]
pub struct RegionStore {
    current: watch::Sender<Arc<Region>>,
    check: Check,
}

impl RegionStore {
    pub(crate) async fn load(committer: &Committer, check: Check) -> Result<Self> {
        let region = read(committer.log().machinery()).await?;
        Ok(Self { current: watch::Sender::new(Arc::new(region)), check })
    }

    pub fn get(&self) -> Arc<Region> {
        self.current.borrow().clone()
    }

    /// Everything that is wrong with `region` for this service.
    pub fn problems(&self, region: &Region) -> Vec<(String, String)> {
        let mut problems = region::validate(region);
        if problems.is_empty() {
            problems = (self.check)(region);
        }
        problems
    }

    /// Takes `region` over in one transaction; false if it is the same as before.
    pub(crate) async fn apply(&self, committer: &Committer, origin: Origin, region: Region) -> Result<(bool, Receipt)> {
        if *self.get() == region {
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
        self.current.send_replace(Arc::new(region));
        Ok((true, receipt))
    }

    /// Takes over what other replicas applied, until `shutdown`.
    pub(crate) async fn follow(self, db: Scoped, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(FOLLOW) => {}
                () = shutdown.cancelled() => return,
            }
            match read(db.clone()).await {
                Ok(region) => {
                    self.current.send_if_modified(|current| {
                        let changed = **current != region;
                        if changed {
                            *current = Arc::new(region);
                        }
                        changed
                    });
                }
                Err(error) => tracing::debug!(%error, "the region was not read again"),
            }
        }
    }
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

async fn read(db: Scoped) -> Result<Region> {
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
    Ok(region)
}

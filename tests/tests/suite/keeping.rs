//! One machine: backups of a suite that runs, and moving on to PostgreSQL.

use crate::load::{Load, Repeat, Told, in_tables, read_back, shown};
use proto::access::PrincipalKind;
use proto::insights::GetReportRequest;
use samtal_tests::process::{refused, samtal};
use samtal_tests::remote::Remote;
use samtal_tests::servers::shared_postgres;
use samtal_tests::suite::eventually;
use std::collections::BTreeMap;
use std::path::Path;
use store::{Db, Scoped, args};
use suite::client;
use suite::suite::SERVICES;

const WRITERS: usize = 4;

fn load() -> Load {
    Load::new(Repeat::UntilCertain)
}

/// Load on a suite; `meanwhile` happens under it.
async fn under_load<T>(remote: &Remote, load: Load, meanwhile: impl AsyncFnOnce(&Load) -> T) -> (Vec<Told>, T) {
    let mut channels = Vec::new();
    for _ in 0..WRITERS {
        channels.push(client::connect(&remote.address()).await.unwrap());
    }
    let meanwhile = async {
        let done = meanwhile(&load).await;
        load.stop();
        done
    };
    let (told, done) = futures::join!(load.run(channels), meanwhile);
    shown(&told).await;
    (told, done)
}

async fn database(folder: &Path, service: &str) -> Scoped {
    Db::open(&format!("sqlite:{}", folder.display()), service).await.unwrap().of(store::Whose::Log)
}

/// No service has consumed what another has not yet written.
async fn of_one_moment(folder: &Path) {
    let mut heads = BTreeMap::new();
    for service in SERVICES {
        for row in database(folder, service).await.rows("SELECT shard, head FROM log_head", args![]).await.unwrap() {
            heads.insert((service.to_owned(), row.int(0).unwrap()), row.int(1).unwrap());
        }
    }
    let mut compared = 0;
    for service in SERVICES {
        for row in database(folder, service).await.rows("SELECT source, shard, position FROM log_cursor", args![]).await.unwrap() {
            let (source, shard, position) = (row.text(0).unwrap(), row.int(1).unwrap(), row.int(2).unwrap());
            let head = heads[&(source.clone(), shard)];
            assert!(position <= head, "{service} has consumed {source}'s shard {shard} up to {position}, which ends at {head}");
            compared += i32::from(position > 0);
        }
    }
    assert!(compared > 10, "there is something to compare: {compared}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_under_load_is_of_one_moment_and_can_be_put_back() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let place = tempfile::tempdir().unwrap();
    let (first, second) = (place.path().join("first"), place.path().join("second"));
    let data = remote.folder().to_str().unwrap().to_owned();
    let backup = async |to: &Path| {
        let (done, said) = samtal(&["backup", "--data", &data, "--to", to.to_str().unwrap()]).await;
        assert!(done, "{said}");
    };
    let (told, acknowledged) = under_load(&remote, load(), async |load| {
        load.more(300).await;
        backup(&first).await;
        load.more(200).await;
        let acknowledged = load.done();
        backup(&second).await;
        load.more(200).await;
        acknowledged
    })
    .await;
    remote.stop().await;
    for folder in [&first, &second] {
        let (done, said) = samtal(&["restore", "--check", "--from", folder.to_str().unwrap()]).await;
        assert!(done, "{said}");
        let copy = tempfile::tempdir().unwrap();
        for service in SERVICES {
            std::fs::copy(folder.join(format!("{service}.db")), copy.path().join(format!("{service}.db"))).unwrap();
        }
        of_one_moment(copy.path()).await;
    }

    let mut restored = Remote::new(Vec::new());
    let into = restored.folder().to_str().unwrap().to_owned();
    let (done, said) = samtal(&["restore", "--from", second.to_str().unwrap(), "--data", &into]).await;
    assert!(done, "{said}");
    restored.up("").await;
    let journal = restored.person(PrincipalKind::Integrator, "journal").await;
    let (mut cases, mut messages) = (0, 0);
    for told in &told {
        let read = journal.messages(&told.case).await.unwrap();
        let written: Vec<_> = read.iter().filter(|message| message.system.is_none()).skip(1).collect();
        assert!(written.iter().zip(1..).all(|(message, n)| message.client_id == format!("m{n}")), "nothing is missing in between");
        for message in &written {
            assert_eq!(told.messages[&message.client_id], message.seq);
        }
        messages += written.len() as i64;
        for case in told.cases.values() {
            cases += i64::from(journal.case(case).await.is_ok());
        }
    }
    assert!(cases + messages >= acknowledged, "{cases} cases and {messages} messages of {acknowledged} acknowledged before the backup");
    // It goes on: old and new reach everybody, once.
    let (more, ()) = under_load(&restored, load().named("more"), async |load| load.more(100).await).await;
    read_back(&journal, &more, (cases, messages + cases)).await;
    let (done, said) = samtal(&["verify-audit", "all", "--address", &format!("http://{}", restored.address())]).await;
    assert!(done, "{said}");
    restored.stop().await;
    for service in SERVICES {
        assert_eq!(crate::tables::count(&restored.db(service).await, "dead_letter").await, 0, "{service} has set something aside");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_is_damaged_or_none_leaves_nothing_behind() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    remote.stop().await;
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    let data = remote.folder().to_str().unwrap().to_owned();
    let (done, said) = samtal(&["backup", "--data", &data, "--to", &path("backup")]).await;
    assert!(done && said.contains("6 files"), "{said}");
    refused(&["backup", "--data", &data, "--to", &path("backup")], "is there already and not empty").await;
    refused(&["backup", "--data", &path("nothing"), "--to", &path("other")], "holds no database of intake").await;
    refused(&["backup", "--data", &data, "--to", &path("no/such/folder")], "cannot be made").await;
    refused(&["backup", "--data", &data, "--store", "postgres://db/x", "--to", &path("other")], "names a server").await;
    refused(&["restore", "--from", &path("backup"), "--data", &data], "is there already and not empty").await;
    refused(&["restore", "--from", &path("nothing"), "--data", &path("new")], "is no backup").await;

    let file = place.path().join("backup/triage.db");
    let whole = std::fs::read(&file).unwrap();
    let mut broken = whole.clone();
    broken[5000] ^= 1;
    std::fs::write(&file, broken).unwrap();
    refused(&["restore", "--check", "--from", &path("backup")], "triage.db is not what was backed up").await;
    refused(&["restore", "--from", &path("backup"), "--data", &path("new")], "triage.db is not what was backed up").await;
    std::fs::write(&file, whole).unwrap();
    let list = place.path().join("backup/backup.json");
    let text = std::fs::read_to_string(&list).unwrap();
    for (wrong, why) in [
        (text.replace("triage.db", "../../triage.db"), "is no backup"),
        (text.replace("\"format\": 1", "\"format\": 2"), "does not know"),
        (text.replace("triage.db", "other.db"), "holds no database of triage"),
        (text[..40].to_owned(), "is no backup"),
    ] {
        std::fs::write(&list, wrong).unwrap();
        refused(&["restore", "--from", &path("backup"), "--data", &path("new")], why).await;
    }
    let left: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["backup"], "nothing half done lies about");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_installation_that_outgrows_its_machine_moves_to_postgres() {
    let mut remote = Remote::new(Vec::new());
    remote.up_with_region().await;
    let (told, ()) = under_load(&remote, load(), async |load| load.more(300).await).await;
    let journal = remote.person(PrincipalKind::Integrator, "journal").await;
    read_back(&journal, &told, (0, 0)).await;
    let data = remote.folder().to_str().unwrap().to_owned();
    let url = shared_postgres().fresh_database("keeping_move");
    refused(&["move", "--data", &data, "--to", &url], "is in use by another samtal").await;
    remote.stop().await;
    refused(&["move", "--data", &data, "--to", "sqlite:elsewhere"], "must be postgres://").await;
    let used = shared_postgres().fresh_database("keeping_used");
    shared_postgres().psql(used.rsplit('/').next().unwrap(), "CREATE SCHEMA intake CREATE TABLE intake.precious (id BIGINT)");
    refused(&["move", "--data", &data, "--to", &used], "holds tables already").await;

    // One that ended after its first service: nobody may use what is there, and the next one begins anew.
    let folder = suite::folder::Folder::open(remote.folder()).unwrap();
    suite::relocate::copy(&folder, &url, "intake", kernel::Clock::system().now()).await.unwrap();
    drop(folder);
    refused(&["up", "--data", &data, "--store", &url, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"], "did not finish; run that again")
        .await;
    let (done, said) = samtal(&["move", "--data", &data, "--to", &url]).await;
    assert!(done && SERVICES.iter().all(|service| said.contains(&format!("{service}: "))), "{said}");
    refused(&["up", "--data", &data, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"], "has moved to postgres://").await;

    let mut moved = Remote::new(vec!["--store".into(), url]);
    moved.up("").await;
    let journal = moved.person(PrincipalKind::Integrator, "journal").await;
    read_back(&journal, &told, (0, 0)).await;
    let before = journal.insights().get_report(GetReportRequest::default()).await.unwrap().into_inner();
    let (more, ()) = under_load(&moved, load().named("more"), async |load| load.more(100).await).await;
    eventually("what is new is counted on top", async || {
        let report = journal.insights().get_report(GetReportRequest::default()).await.ok()?.into_inner();
        (report.cases == before.cases + more.iter().map(|told| told.cases.len() as i64).sum::<i64>()).then_some(())
    })
    .await;
    let (done, said) = samtal(&["verify-audit", "all", "--address", &format!("http://{}", moved.address())]).await;
    assert!(done, "{said}");
    moved.stop().await;
    let all: Vec<Told> = told.into_iter().chain(more).collect();
    in_tables(async |service| moved.db(service).await, &all).await;
}

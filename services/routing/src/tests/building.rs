use super::*;

#[tokio::test]
async fn it_builds_while_its_neighbours_are_away() {
    let mut suite = Suite::new().await;
    let mut platform = (*suite.app.node.platform).clone();
    let nowhere = |name: &str| (name.to_owned(), "http://127.0.0.1:9".to_owned());
    let addresses = BTreeMap::from([nowhere("intake"), nowhere("triage")]);
    platform.peers = Peers::new(&addresses, platform.secret.clone(), suite.clock.clone()).unwrap();
    let mut routes = runtime::RoutesBuilder::default();
    let built = crate::build(&platform, &mut routes).await.unwrap();
    assert_eq!(built.handlers.iter().map(|one| one.source()).collect::<Vec<_>>(), ["intake", "triage"]);
    assert!(built.standing.is_some());
    suite.pass(1).await;
}

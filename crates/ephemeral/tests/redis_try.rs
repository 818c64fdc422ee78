//! temporary
use std::time::Duration;
use kernel::Clock;
use samtal_ephemeral::{Ephemeral, conformance};

#[tokio::test(flavor = "multi_thread")]
async fn redis() {
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let start = || std::process::Command::new("redis-server").args(["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"]).stdout(std::process::Stdio::null()).spawn().unwrap();
    let clock = Clock::system();
    let e = Ephemeral::connect(&format!("redis://127.0.0.1:{port}"), clock.clone()).await.unwrap();
    assert!(!e.is_healthy());
    let up = async |want: bool| { for _ in 0..3000 { if e.is_healthy() == want { return } e.is_present("x").await; tokio::time::sleep(Duration::from_millis(10)).await; } panic!() };
    let mut server = start();
    up(true).await;
    conformance::run(&e, &clock).await;
    let t = std::time::Instant::now();
    for i in 0..1000 { e.allow(&format!("k{i}"), 5, Duration::from_secs(60)).await.unwrap(); }
    println!("1000 allow {:?}", t.elapsed());
    // all keys expire
    let out = std::process::Command::new("redis-cli").args(["-p", &port.to_string(), "eval", "local n=0 for _,k in ipairs(redis.call('keys','*')) do if redis.call('pttl',k) < 0 or string.sub(k,1,7) ~= 'samtal:' then n=n+1 end end return n", "0"]).output().unwrap();
    println!("bad keys {:?}", out);
    server.kill().unwrap(); server.wait().unwrap();
    conformance::run(&e, &clock).await;
    assert!(!e.is_healthy());
    e.put_ticket("t", "v", Duration::from_secs(60)).await;
    let mut server = start();
    up(true).await;
    assert_eq!(e.take_ticket("t").await.as_deref(), Some("v"));
    conformance::run(&e, &clock).await;
    // stalled server
    std::process::Command::new("kill").args(["-STOP", &server.id().to_string()]).status().unwrap();
    let t = std::time::Instant::now();
    conformance::run(&e, &clock).await;
    println!("stalled {:?}", t.elapsed());
    std::process::Command::new("kill").args(["-CONT", &server.id().to_string()]).status().unwrap();
    up(true).await;
    conformance::run(&e, &clock).await;
    server.kill().unwrap(); server.wait().unwrap();
}

//! The pages over the whole suite, as a browser's requests.

use samtal_tests::suite::{Setup, Stack, TestSuite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

on_both_stacks!(a_nurse_of_the_demo_signs_in_with_one_click_and_out_again);

/// One request over a connection of its own: the head and the body of the answer.
async fn ask(suite: &TestSuite, method: &str, path: &str, cookies: &str, form: &str) -> (String, String) {
    let address = suite.suite().http.expect("pages");
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: close\r\nCookie: {cookies}\r\nAccept-Language: en\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

fn cookie(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("set-cookie: {name}="))).expect(name);
    line.split_once(": ").unwrap().1.split(';').next().unwrap().to_owned()
}

fn form_token(body: &str) -> &str {
    body.split("name=\"form_token\" value=\"").nth(1).expect("a form").split('"').next().unwrap()
}

async fn a_nurse_of_the_demo_signs_in_with_one_click_and_out_again(stack: Stack) {
    let yaml = samtal_tests::suite::region_yaml().replacen(
        "profession: nurse, queues: [alfa-push]",
        "profession: nurse, demo_login: true, queues: [alfa-push]",
        1,
    );
    let demo = gateway::Settings { demo: true, ..gateway::Settings::default() };
    let suite = Setup::new(stack).region(yaml).pages(demo).start().await;
    let (head, door) = ask(&suite, "GET", "/", "", "").await;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(door.contains("href=\"/e/alfa-door\"") && door.contains(">Anna<"), "{door}");
    let browser = cookie(&head, "samtal-form");
    let form = format!("form_token={}&organisation=alfa&worker=alfa.anna", form_token(&door));
    let (head, _) = ask(&suite, "POST", "/sign-in", &browser, &form).await;
    assert!(head.contains("location: /staff\r\n"), "{head}");
    let session = format!("{browser}; {}", cookie(&head, "samtal-staff"));
    let (head, home) = ask(&suite, "GET", "/staff", &session, "").await;
    assert!(head.starts_with("HTTP/1.1 200") && home.contains("Hello Anna"), "{head}\n{home}");
    // A nurse leads nothing, and somebody who is no demo login does not get in.
    assert!(ask(&suite, "GET", "/leader", &session, "").await.0.starts_with("HTTP/1.1 403"));
    let form = format!("form_token={}&organisation=alfa&worker=alfa.bo", form_token(&door));
    assert!(ask(&suite, "POST", "/sign-in", &browser, &form).await.0.starts_with("HTTP/1.1 404"));
    let form = format!("form_token={}", form_token(&home));
    assert!(ask(&suite, "POST", "/sign-out", &session, &form).await.0.contains("location: /sign-in\r\n"));
    // The token itself is over, whoever kept the cookie; a process may believe it for two seconds.
    let over = async || ask(&suite, "GET", "/staff", &session, "").await.0.contains("location: /sign-in?to=/staff").then_some(());
    samtal_tests::suite::eventually("the session is over", over).await;
}

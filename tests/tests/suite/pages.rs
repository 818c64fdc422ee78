//! The pages over the whole suite, as a browser's requests.

use samtal_tests::http::send;
use samtal_tests::suite::{SOON, Setup, Stack, TestSuite};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

on_both_stacks!(
    a_nurse_of_the_demo_signs_in_with_one_click_and_out_again,
    a_screen_follows_a_conversation_from_where_it_was,
    p19_numbers_stand_above_every_page_of_the_conversation,
    a_visitors_conversation_is_found_where_it_goes_on_and_forms_keep_what_was_typed,
);

/// One request over a connection of its own: the head and the body of the answer.
pub async fn ask(suite: &TestSuite, method: &str, path: &str, cookies: &str, form: &str) -> (String, String) {
    let address = suite.suite().http.expect("pages");
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\nConnection: close\r\nCookie: {cookies}\r\nAccept-Language: en\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = send(address, &request).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Reads a stream until it says `last`.
async fn follow(suite: &TestSuite, path: &str, last: &str) -> String {
    let address = suite.suite().http.expect("pages");
    let mut connection = tokio::net::TcpStream::connect(address).await.unwrap();
    connection.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await.unwrap();
    let mut seen = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&seen).contains(last) {
            assert!(connection.read_buf(&mut seen).await.unwrap() > 0, "it ended: {}", String::from_utf8_lossy(&seen));
        }
    };
    tokio::time::timeout(SOON, read).await.expect(last);
    String::from_utf8_lossy(&seen).into_owned()
}

pub fn cookie(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_ascii_lowercase().starts_with(&format!("set-cookie: {name}="))).expect(name);
    line.split_once(": ").unwrap().1.split(';').next().unwrap().to_owned()
}

pub fn form_token(body: &str) -> &str {
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
    assert!(head.starts_with("HTTP/1.1 200") && home.contains(">Anna<"), "{head}\n{home}");
    // A nurse leads nothing, and somebody who is no demo login does not get in.
    assert!(ask(&suite, "GET", "/leader", &session, "").await.0.starts_with("HTTP/1.1 403"));
    let form = format!("form_token={}&organisation=alfa&worker=alfa.bo", form_token(&door));
    assert!(ask(&suite, "POST", "/sign-in", &browser, &form).await.0.starts_with("HTTP/1.1 404"));
    let form = format!("form_token={}", form_token(&home));
    assert!(ask(&suite, "POST", "/sign-out", &session, &form).await.0.contains("location: /sign-in?out=1\r\n"));
    // The token itself is over, whoever kept the cookie; a process may believe it for two seconds.
    let over = async || ask(&suite, "GET", "/staff", &session, "").await.0.contains("location: /sign-in?to=/staff").then_some(());
    samtal_tests::suite::eventually("the session is over", over).await;
}

async fn a_screen_follows_a_conversation_from_where_it_was(stack: Stack) {
    let demo = gateway::Settings { demo: true, ..gateway::Settings::default() };
    let suite = Setup::new(stack).pages(demo).start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "the first").await;
    visitor.me.post(&visitor.case_id, "two", "<script>two</script>\r\nand more").await.unwrap();
    let (head, page) = ask(&suite, "GET", "/design", "", "").await;
    let cookies = format!("{}; samtal-visitor={}~{}", cookie(&head, "samtal-form"), visitor.case_id, visitor.me.token);
    let stream = format!("/live/case/{}", visitor.case_id);
    let form = format!("form_token={}&audience=visitor&case={}&stream={stream}", form_token(&page), visitor.case_id);
    let ticket = async || {
        let (head, body) = ask(&suite, "POST", "/live/ticket", &cookies, &form).await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        body.split('"').nth(3).unwrap().to_owned()
    };
    let path = format!("{stream}?after=1&ticket={}", ticket().await);
    let seen = follow(&suite, &path, "event: caught-up").await;
    assert!(seen.contains("content-type: text/event-stream") && seen.contains("id: 2\n"), "{seen}");
    assert!(seen.contains("&lt;script&gt;two") || seen.contains("&#60;script&#62;two"), "{seen}");
    assert!(!seen.contains("the first") && !seen.contains("<script>"), "{seen}");
    // A ticket opens one stream, once, and its own.
    assert!(ask(&suite, "GET", &path, &cookies, "").await.0.starts_with("HTTP/1.1 403"));
    let other = format!("/live/offers?ticket={}", ticket().await);
    assert!(ask(&suite, "GET", &other, &cookies, "").await.0.starts_with("HTTP/1.1 403"));
    // Somebody else's cookie has no such case.
    let (head, _) = ask(&suite, "POST", "/live/ticket", cookies.split(';').next().unwrap(), &form).await;
    assert!(head.starts_with("HTTP/1.1 404"), "{head}");
}

/// As a browser without script sees it; what scripts make of it, the browser's tests say.
async fn p19_numbers_stand_above_every_page_of_the_conversation(stack: Stack) {
    let suite = Setup::new(stack).pages(gateway::Settings::default()).start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let cookies = format!("samtal-visitor={}~{}", visitor.case_id, visitor.me.token);
    let home = format!("/c/{}", visitor.case_id);
    let see = async |path: &str| ask(&suite, "GET", &format!("{home}{path}"), &cookies, "").await.1;
    assert!(see("").await.contains("id=\"calls\" open hidden"));
    assert!(!see("/news?after=1").await.contains("tel:"));
    visitor.me.post(&visitor.case_id, "two", "jag vill inte leva").await.unwrap();
    let page = see("").await;
    let header = page.split("</header>").next().unwrap();
    assert!(header.contains("id=\"calls\" open>") && header.contains("href=\"tel:112\""), "{header}");
    // In the frame of a page that is open already, above what is new.
    let news = see("/news?after=1").await;
    assert!(news.find("class=\"safety\"") < news.find("class=\"conversation\""), "{news}");
    assert!(see("/safety").await.contains("href=\"tel:112\""));
    // However much is said after it.
    for n in 0..3 {
        visitor.me.post(&visitor.case_id, &format!("more {n}"), "och en sak till").await.unwrap();
    }
    assert!(see("?from=4").await.contains("id=\"calls\" open>"));
    let close = proto::intake::CloseCaseRequest {
        case_id: visitor.case_id.clone(),
        outcome: proto::intake::Outcome::Abandoned.into(),
        ..Default::default()
    };
    visitor.me.cases().close_case(close).await.unwrap();
    assert!(see("").await.contains("id=\"calls\" open hidden"), "the case has ended");
}

async fn a_visitors_conversation_is_found_where_it_goes_on_and_forms_keep_what_was_typed(stack: Stack) {
    let suite = Setup::new(stack).pages(gateway::Settings::default()).start().await;
    let visitor = suite.visitor("alfa-door", "alfa-cold", "hej").await;
    let (head, body) = ask(&suite, "GET", "/return", "", "").await;
    let cookies = format!("{}; samtal-visitor={}~{}", cookie(&head, "samtal-form"), visitor.case_id, visitor.me.token);
    let home = format!("/c/{}", visitor.case_id);
    let link = format!("href=\"{home}\"");
    let leads = async |path: &str| ask(&suite, "GET", path, &cookies, "").await.1.contains(&link);
    assert!(leads("/e/alfa-door").await && leads("/return").await);
    assert!(!leads("/e/alfa-far-door").await, "another door");

    let form = format!("form_token={}&field=person-number&value=19000101-%3Cb%3E", form_token(&body));
    let (head, page) = ask(&suite, "POST", &format!("{home}/identity"), &cookies, &form).await;
    assert!(head.starts_with("HTTP/1.1 422"), "{head}");
    assert!(page.contains("value=\"19000101-&#60;b&#62;\"") && page.contains("<option value=\"person-number\" selected>"), "{page}");
    // To keep: in words, and for programs.
    let (head, text) = ask(&suite, "GET", &format!("{home}/copy/text"), &cookies, "").await;
    assert!(head.contains("attachment; filename=\"samtal.txt\"") && text.contains("hej\r\n"), "{head} {text}");
    assert!(ask(&suite, "GET", &format!("{home}/copy/data"), &cookies, "").await.1.contains("samtal.case.v1"));
    assert!(ask(&suite, "GET", &format!("{home}/copy/text"), "", "").await.0.starts_with("HTTP/1.1 404"), "nobody else's");

    let close = proto::intake::CloseCaseRequest {
        case_id: visitor.case_id.clone(),
        outcome: proto::intake::Outcome::Abandoned.into(),
        ..Default::default()
    };
    visitor.me.cases().close_case(close).await.unwrap();
    assert!(!leads("/e/alfa-door").await && !leads("/return").await, "it is over");
}

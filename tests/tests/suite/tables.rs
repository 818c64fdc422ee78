//! Looking into a service's own tables, whichever engine holds them.

use store::{Engine, Scoped, args};

/// Every table of this service.
pub async fn all(db: &Scoped) -> Vec<String> {
    let sql = match db.db().engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY name",
        Engine::Postgres => "SELECT CAST(tablename AS TEXT) FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1",
    };
    let rows = db.rows(sql, args![]).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.text(0).unwrap()).collect();
    assert!(names.len() > 5, "{names:?}");
    names
}

async fn columns(db: &Scoped, table: &str) -> Vec<String> {
    let sql = match db.db().engine() {
        Engine::Sqlite => "SELECT name FROM pragma_table_info($1)",
        Engine::Postgres => {
            "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1"
        }
    };
    db.rows(sql, args![table]).await.unwrap().iter().map(|row| row.text(0).unwrap()).collect()
}

/// `table.column` of each place that holds one of these texts, also within bytes.
pub async fn search(db: &Scoped, texts: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for table in all(db).await {
        for column in columns(db, &table).await {
            for text in texts {
                let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                let sql = match db.db().engine() {
                    Engine::Sqlite => format!("SELECT COUNT(*) FROM \"{table}\" WHERE instr(lower(hex(\"{column}\")), $1) > 0 OR $2 = ''"),
                    Engine::Postgres => format!(
                        "SELECT COUNT(*) FROM \"{table}\" WHERE strpos(CAST(\"{column}\" AS TEXT), $1) > 0 OR strpos(CAST(\"{column}\" AS TEXT), $2) > 0"
                    ),
                };
                let count = db.row(sql, args![&hex, *text]).await.unwrap().unwrap().int(0).unwrap();
                if count > 0 {
                    found.push(format!("{table}.{column}: {text}"));
                }
            }
        }
    }
    found
}

pub async fn count(db: &Scoped, table: &str) -> i64 {
    db.row(format!("SELECT COUNT(*) FROM {table}"), args![]).await.unwrap().unwrap().int(0).unwrap()
}

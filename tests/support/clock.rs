//! Time that passed while nobody waited: what the host remembers becomes older.

use std::path::Path;

use rusqlite::{Connection, types::Value as Cell};
use serde_json::Value;

/// What looks like milliseconds since 1970: from 2001 to 2286.
const MILLISECONDS: std::ops::Range<u64> = 1_000_000_000_000..10_000_000_000_000;

/// Moves every time in the records and documents of a host that has ended into the past.
pub(crate) fn age(state: &Path, hours: u64) {
    let connection = Connection::open(state.join("windlass.db")).unwrap();
    for (table, column) in columns(&connection) {
        let sql = format!("SELECT DISTINCT \"{column}\" FROM \"{table}\"");
        let mut statement = connection.prepare(&sql).unwrap();
        let cells: Vec<Cell> =
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        for cell in cells {
            let Some(aged) = older(&cell, hours * 3_600_000) else { continue };
            let sql = format!("UPDATE \"{table}\" SET \"{column}\" = ?1 WHERE \"{column}\" = ?2");
            connection.execute(&sql, [aged, cell]).unwrap();
        }
    }
}

fn columns(connection: &Connection) -> Vec<(String, String)> {
    let sql = "SELECT m.name, p.name FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table'";
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

/// None: it holds no time.
fn older(cell: &Cell, by: u64) -> Option<Cell> {
    let bytes = match cell {
        Cell::Integer(number) => {
            let number = u64::try_from(*number).ok().filter(|it| MILLISECONDS.contains(it))?;
            return Some(Cell::Integer(i64::try_from(number - by).unwrap()));
        }
        Cell::Text(text) => text.as_bytes(),
        Cell::Blob(bytes) => bytes,
        _ => return None,
    };
    let mut document: Value = serde_json::from_slice(bytes).ok()?;
    if !shift(&mut document, by) {
        return None;
    }
    let text = document.to_string();
    Some(if matches!(cell, Cell::Blob(_)) {
        Cell::Blob(text.into_bytes())
    } else {
        Cell::Text(text)
    })
}

/// Whether anything was a time.
fn shift(value: &mut Value, by: u64) -> bool {
    match value {
        Value::Number(number) => {
            let time = number.as_u64().filter(|it| MILLISECONDS.contains(it));
            let Some(time) = time else { return false };
            *value = (time - by).into();
            true
        }
        // All of them, and not only up to the first.
        Value::Array(items) => {
            items.iter_mut().filter_map(|item| shift(item, by).then_some(())).count() > 0
        }
        Value::Object(fields) => {
            fields.values_mut().filter_map(|field| shift(field, by).then_some(())).count() > 0
        }
        _ => false,
    }
}

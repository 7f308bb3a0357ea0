//! `chandlery keys reseal`: moves every value to the active ring key. Replicas may run meanwhile.

use std::io::Write;

use crate::osb::Uid;
use crate::store::PgPool;
use crate::store::reseal::Column;
use crate::vault::Vault;

/// Moves them. A value that does not open is told and left as it is; the others are moved all the same.
pub async fn reseal(pool: &PgPool, vault: &Vault, out: &mut impl Write) -> anyhow::Result<()> {
    let active = vault.active();
    let mut broken = 0;
    for column in Column::ALL {
        let place = column.place(Uid::from(uuid::Uuid::nil()));
        let (mut after, mut moved, mut passed) = (place.row, 0, 0);
        loop {
            let rows = column.others(pool, active, after).await?;
            let Some((last, _)) = rows.last() else { break };
            after = *last;
            for (row, old) in &rows {
                match vault.reseal(&column.place(*row), old) {
                    // Written anew while we looked: that is as good, or the next run's.
                    Ok(Some(new)) if !column.exchange(pool, *row, old, &new).await? => passed += 1,
                    Ok(Some(_)) => moved += 1,
                    Ok(None) => {}
                    Err(error) => {
                        broken += 1;
                        writeln!(out, "{error}")?;
                    }
                }
            }
        }
        let passed = if passed > 0 { format!(", {passed} were written at the same time") } else { String::new() };
        writeln!(out, "{}.{}: {moved} values moved{passed}", place.table, place.column)?;
    }
    if broken > 0 {
        anyhow::bail!("{broken} values do not open under the ring as it is; they were left alone");
    }
    writeln!(out, "every value is under {active} now; `chandlery keys list` says what older keys still hold")?;
    Ok(())
}

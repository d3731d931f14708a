//! What operators do to SleekApp's suppliers: import and export them as CSV or JSON.
//!
//! What is imported takes effect with the next order, and with those that wait for a supplier, without a restart.

use lychgate_common::store::{Imported, Store, StoreError, Supplier};

use super::catalogue::{Part, needed};

impl Part for Supplier {
    const COLUMNS: &'static [&'static str] = &["supplier_id", "name", "active", "priority", "capacity"];
    const PLAIN: &'static [&'static str] = &["active", "priority", "capacity"];

    fn checked(self) -> Result<Self, String> {
        if self.capacity.is_some_and(|capacity| capacity < 0) {
            return Err("capacity is below 0; leave it empty for any number of orders".to_owned());
        }
        Ok(Self { supplier_id: needed("supplier_id", &self.supplier_id)?, name: needed("name", &self.name)?, ..self })
    }
}

/// Imports checked suppliers; with `replace`, those that are not among them go. Orders keep the supplier that they have.
///
/// # Errors
/// The store's; nothing is changed then.
pub async fn import(store: &Store, rows: &[Supplier], replace: bool, actor: &str) -> Result<Imported, StoreError> {
    store.import_suppliers(rows, replace, actor).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::catalogue::{Form, read, written};

    #[test]
    fn suppliers_are_read_with_the_schemas_defaults_and_written_as_they_are_read() {
        let csv =
            "supplier_id,name,active,priority,capacity\nacme,Acme Textiles,,,\nlater,\"Later, Ltd\",false,200,5\n";
        let suppliers = read::<Supplier>(csv, Form::Csv).unwrap();
        let acme = Supplier {
            supplier_id: "acme".into(),
            name: "Acme Textiles".into(),
            active: true,
            priority: 100,
            capacity: None,
        };
        assert_eq!(suppliers[0], acme);
        assert_eq!((suppliers[1].active, suppliers[1].priority, suppliers[1].capacity), (false, 200, Some(5)));
        for form in [Form::Csv, Form::Json] {
            assert_eq!(read::<Supplier>(&written(&suppliers, form), form).unwrap(), suppliers, "{form:?}");
        }
        let wrong =
            "supplier_id,name,active,priority,capacity\nacme,Acme,perhaps,,\n,No,,,\nb,B,,,-1\n7,Seven,true,1,1\n";
        let said = read::<Supplier>(wrong, Form::Csv).unwrap_err().to_string();
        for words in ["line 2: invalid type", "line 3: missing field `supplier_id`", "line 4: capacity is below 0"] {
            assert!(said.contains(words), "{said}");
        }
        assert!(!said.contains("line 5"), "{said}");
    }
}

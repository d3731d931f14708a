//! A sale as Systeme.io describes one: who bought, which order, what is in it. Amounts are cents.

use jiff::Timestamp;
use serde_json::Value;

use super::contact::{Contact, Tag};
use crate::{handler::Failure, handlers::fields::Fields};

/// A sale, or its cancellation: both tell the same.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Sale {
    pub(super) customer: Contact,
    pub(super) order_id: String,
    pub(super) ordered_at: Option<Timestamp>,
    pub(super) amount_cents: Option<i64>,
    pub(super) discount_cents: Option<i64>,
    pub(super) coupon: Option<String>,
    pub(super) processor: Option<String>,
    pub(super) plan: Option<Plan>,
    pub(super) bought: Vec<Bought>,
    pub(super) access_type: Option<String>,
}

/// A price plan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub(super) id: Option<String>,
    pub(super) name: Option<String>,
    pub(super) currency: Option<String>,
    /// Whether it is paid again and again.
    pub(super) recurring: bool,
}

/// Something that gives access.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Bought {
    /// Systeme.io's id and name of a course.
    Course(String, Option<String>),
    /// Systeme.io's id and name of a bundle of courses.
    Bundle(String, Option<String>),
    /// A tag.
    Tag(Tag),
}

impl Sale {
    /// Reads a sale's body.
    pub(super) fn read(body: &Fields<'_>) -> Result<Self, Failure> {
        let customer = match (body.optional_object("customer")?, body.optional_object("contact")?) {
            (Some(customer), _) => Contact::of_customer(&customer)?,
            (None, Some(contact)) => Contact::read(&contact)?,
            (None, None) => return Err(body.missing("customer")),
        };
        let processor = body.optional_object("customer")?;
        let processor = processor.map(|customer| customer.optional_text("paymentProcessor")).transpose()?.flatten();
        let order = body.object("order")?;
        let price = either(body, "pricePlan", "price_plan")?;
        let amount = match order.optional_integer("totalPrice")? {
            Some(amount) => Some(amount),
            None => price.as_ref().map(|price| price.optional_integer("amount")).transpose()?.flatten(),
        };
        let coupon = match body.value("coupon") {
            Some(Value::Object(_)) => body.object("coupon")?.optional_text("code")?,
            Some(Value::String(_)) => body.optional_text("coupon")?,
            Some(_) | None => None,
        };
        let resources = match either(body, "orderItem", "order_item")? {
            Some(item) => item.optional_objects("resources")?.unwrap_or_default(),
            None => Vec::new(),
        };
        let mut bought = Vec::new();
        let mut access_type = None;
        for resource in &resources {
            bought.extend(given(resource)?);
            access_type = access_type.or(resource.optional_text("enrollmentAccessType")?);
        }
        Ok(Self {
            customer,
            order_id: order.text("id")?,
            ordered_at: order.optional_time("createdAt")?,
            amount_cents: amount,
            discount_cents: order.optional_integer("discountAmount")?,
            coupon,
            processor,
            plan: price.as_ref().map(plan).transpose()?,
            bought,
            access_type,
        })
    }

    /// The reason of everything that this order gave.
    pub(super) fn via(&self) -> String {
        format!("order:{}", self.order_id)
    }
}

/// What an object with `course`, `courseBundle` and `tag` gives.
pub(super) fn given(of: &Fields<'_>) -> Result<Vec<Bought>, Failure> {
    let mut bought = Vec::new();
    if let Some((id, name)) = named(of, "course")? {
        bought.push(Bought::Course(id, name));
    }
    for key in ["courseBundle", "course_bundle", "bundle"] {
        if let Some((id, name)) = named(of, key)? {
            bought.push(Bought::Bundle(id, name));
        }
    }
    match of.value("tag") {
        Some(Value::Object(_)) => bought.push(Bought::Tag(Tag::read(&of.object("tag")?)?)),
        Some(Value::Number(_)) => bought.push(Bought::Tag(Tag { id: of.optional_text("tag")?, name: None })),
        Some(_) | None => {}
    }
    Ok(bought)
}

/// `{id, name}`, or the id alone.
fn named(of: &Fields<'_>, key: &str) -> Result<Option<(String, Option<String>)>, Failure> {
    Ok(match of.value(key) {
        Some(Value::Object(_)) => {
            let object = of.object(key)?;
            Some((object.text("id")?, object.optional_text("name")?))
        }
        Some(Value::Number(_) | Value::String(_)) => Some((of.text(key)?, None)),
        Some(_) | None => None,
    })
}

fn plan(price: &Fields<'_>) -> Result<Plan, Failure> {
    let kind = price.optional_text("type")?.unwrap_or_default().to_lowercase();
    Ok(Plan {
        id: price.optional_text("id")?,
        name: price.optional_text("name")?,
        currency: price.optional_text("currency")?.map(|currency| currency.to_uppercase()),
        recurring: kind.contains("subscription") || kind.contains("recurring"),
    })
}

fn either<'a>(of: &Fields<'a>, one: &str, other: &str) -> Result<Option<Fields<'a>>, Failure> {
    match of.optional_object(one)? {
        Some(found) => Ok(Some(found)),
        None => of.optional_object(other),
    }
}

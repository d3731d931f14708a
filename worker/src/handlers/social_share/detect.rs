//! Which platform something was shared on.
//!
//! Pure. Names and hosts are compared whole: `notfacebook.com` is not Facebook.

use url::Url;

/// A platform: its name here, other names for it, and its hosts.
struct Platform {
    name: &'static str,
    aliases: &'static [&'static str],
    hosts: &'static [&'static str],
}

const PLATFORMS: [Platform; 13] = [
    Platform { name: "facebook", aliases: &["fb", "meta"], hosts: &["facebook.com", "fb.com", "fb.me", "m.me"] },
    Platform { name: "x", aliases: &["twitter", "tweet"], hosts: &["twitter.com", "x.com", "t.co"] },
    Platform { name: "linkedin", aliases: &["li"], hosts: &["linkedin.com", "lnkd.in"] },
    Platform { name: "whatsapp", aliases: &["wa"], hosts: &["whatsapp.com", "wa.me"] },
    Platform { name: "instagram", aliases: &["ig", "insta"], hosts: &["instagram.com", "ig.me"] },
    Platform { name: "pinterest", aliases: &["pin"], hosts: &["pinterest.com", "pin.it"] },
    Platform { name: "tiktok", aliases: &[], hosts: &["tiktok.com"] },
    Platform { name: "telegram", aliases: &["tg"], hosts: &["telegram.org", "telegram.me", "t.me"] },
    Platform { name: "reddit", aliases: &[], hosts: &["reddit.com", "redd.it"] },
    Platform { name: "youtube", aliases: &["yt"], hosts: &["youtube.com", "youtu.be"] },
    Platform { name: "threads", aliases: &[], hosts: &["threads.net", "threads.com"] },
    Platform { name: "email", aliases: &["mail", "e-mail", "mailto"], hosts: &[] },
    Platform { name: "link", aliases: &["copy", "copy_link", "copy-link", "clipboard", "native"], hosts: &[] },
];

/// What was found, and by what.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) platform: &'static str,
    pub(super) by: &'static str,
}

/// By the field, else by the referrer, else by the share URL; else `other`.
pub(super) fn platform(named: Option<&str>, referrer: Option<&str>, share_url: Option<&str>) -> Found {
    let found = |by, name: Option<&'static str>| name.map(|platform| Found { platform, by });
    found("field", named.and_then(by_name))
        .or_else(|| found("referrer", referrer.and_then(by_url)))
        .or_else(|| found("share_url", share_url.and_then(by_url)))
        .unwrap_or(Found { platform: "other", by: "nothing" })
}

fn by_name(text: &str) -> Option<&'static str> {
    let name = text.trim().to_ascii_lowercase();
    let known = |platform: &&Platform| platform.name == name || platform.aliases.contains(&name.as_str());
    PLATFORMS.iter().find(known).map(|platform| platform.name)
}

fn by_url(text: &str) -> Option<&'static str> {
    let url = Url::parse(text.trim()).ok()?;
    if url.scheme() == "mailto" {
        return Some("email");
    }
    let host = url.host_str()?.to_ascii_lowercase();
    let within = |domain: &&str| host.strip_suffix(*domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    // Pinterest has a domain in every country.
    let national =
        |platform: &&Platform| platform.name == "pinterest" && host.split('.').any(|part| part == "pinterest");
    let known = |platform: &&Platform| platform.hosts.iter().any(&within) || national(platform);
    PLATFORMS.iter().find(known).map(|platform| platform.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_field_counts_first_then_the_referrer_then_the_share_url() {
        let found = |named, referrer, url| {
            let found = platform(named, referrer, url);
            (found.platform, found.by)
        };
        assert_eq!(found(Some("Twitter"), Some("https://l.facebook.com/"), None), ("x", "field"));
        assert_eq!(found(Some("myspace"), Some("https://l.facebook.com/l.php"), None), ("facebook", "referrer"));
        let share = Some("https://www.linkedin.com/sharing/share-offsite/?url=x");
        assert_eq!(found(None, Some("https://shop.example.com/"), share), ("linkedin", "share_url"));
        assert_eq!(found(None, None, Some("mailto:?body=x")), ("email", "share_url"));
        assert_eq!(found(None, None, Some("https://pinterest.co.uk/pin/create")), ("pinterest", "share_url"));
        assert_eq!(found(None, Some("https://notfacebook.com/"), Some("no url")), ("other", "nothing"));
    }
}

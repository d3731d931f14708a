-- A membership that is paused, has expired or was cancelled keeps the level that it gave, withheld: renewed without a
-- word about its tier, it is what it was before.
alter table access_levels add column withheld text;
comment on column access_levels.level is 'what was given last; of no use while it is withheld';
comment on column access_levels.withheld is 'null, or why the level does not count now: membership_STATUS';

-- Until now the level was overwritten with none; what it had been follows from the tier.
update access_levels a
set level = coalesce(t.access_level, m.tier), reason = 'tier:' || m.tier, withheld = a.reason
from memberships m left join membership_tiers t on t.tier = m.tier
where m.email = a.email and m.via = a.via and m.tier is not null and a.level = 'none' and a.reason like 'membership\_%';

comment on column access_level_history.level is 'null: as before; it goes on, or only its end has changed';

create or replace view access_now as
select distinct on (a.email) a.email, a.level, a.via, a.until
from access_levels a
left join (select access_level, max(rank) as rank from membership_tiers group by 1) t on t.access_level = a.level
where a.level <> 'none' and a.withheld is null and (a.until is null or a.until > now())
order by a.email, coalesce(t.rank, 0) desc, a.via;

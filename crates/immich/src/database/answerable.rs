//! Whether a request can be answered here: what it needs must be there, and the caller may ask for it.
use viewfinder_catalog::query::{Query, Scope as Words};

use crate::{
    database::{
        Error,
        schema::{Rules, Schema},
    },
    library::{
        Caller, Capability, SearchRequest, Unsupported,
        filters::{Filters, Visibility, needs_of_query},
        request::AssetFilter,
        structured,
    },
};

/// Refuses what this Immich lacks something for, or answers in its own way, and locked pictures to whoever has not given the PIN.
pub(crate) fn require(request: &SearchRequest, schema: &Schema, caller: Caller) -> Result<(), Error> {
    let exif = request.with_exif || request.order.is_some_and(crate::library::order::Order::needs_exif);
    for (needed, capability) in [(exif, Capability::Exif), (request.with_people, Capability::PeopleInAnswers)]
    {
        if needed {
            schema.require(capability)?;
        }
    }
    for alternative in &request.alternatives {
        require_words(&alternative.query, schema)?;
        let locked = match &alternative.allows {
            AssetFilter::Flat(filters) => {
                require_flat(filters, request.is_metadata(), schema)?;
                filters.visibility == Some(Visibility::Locked)
            }
            AssetFilter::Structured(filter) => {
                require_structured(filter, schema)?;
                filter.asks_for_locked()
            }
        };
        if locked && !caller.elevated {
            return Err(Error::NotElevated);
        }
    }
    Ok(())
}

fn require_words(query: &Query, schema: &Schema) -> Result<(), Error> {
    let text = query.terms.iter().any(|term| term.scope != Words::Meaning);
    schema.require(match (text, query.meaning().is_some()) {
        (true, true) => Capability::HybridSearch,
        (false, true) => Capability::MeaningSearch,
        (_, false) => Capability::TextSearch,
    })?;
    needs_of_query(query).try_for_each(|capability| schema.require(capability))
}

fn require_flat(filters: &Filters, metadata: bool, schema: &Schema) -> Result<(), Error> {
    filters.needs().try_for_each(|capability| schema.require(capability))?;
    if filters.encoded.is_some() && !schema.encoded_known {
        return Err(converted().into());
    }
    if schema.rules == Rules::V3 && metadata && !filters.albums.is_empty() {
        return Err(Unsupported::new("in v3, albums widen a search to pictures of others").into());
    }
    Ok(())
}

fn require_structured(filter: &structured::Filter, schema: &Schema) -> Result<(), Error> {
    filter.needs().try_for_each(|capability| schema.require(capability))?;
    if filter.asks_for_converted() && !schema.encoded_known {
        return Err(converted().into());
    }
    Ok(())
}

fn converted() -> Unsupported {
    Unsupported::new("this Immich does not tell which videos were converted")
}

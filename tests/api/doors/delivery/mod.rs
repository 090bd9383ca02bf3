//! Every way of delivery is a cursor over the same log.

mod agree;
mod paging;

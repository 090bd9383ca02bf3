//! Every way of delivery is a cursor over the same log.

mod agree;
mod meters;
mod paging;
mod payload;
mod resume;
mod trim;
mod viewers;

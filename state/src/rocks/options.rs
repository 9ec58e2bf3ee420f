//! How the store configures RocksDB, and why.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode, InfoLogger, LogLevel, Options,
};

use super::handle::{CHUNKS, INDEX, META};

/// Payloads from this size on go to blob files, so that compaction moves a pointer instead of the bytes.
const BLOB_BYTES_MIN: u64 = 4 << 10;
const BLOB_FILE_BYTES: u64 = 64 << 20;
const SMALL_MEMTABLE_BYTES: usize = 4 << 20;
/// Files in level 0 from which on writes wait for compactions.
const LEVEL_ZERO_FILES_MAX: i32 = 36;
const INFO_LOG_BYTES_MAX: usize = 4 << 20;
const INFO_LOG_FILES_MAX: usize = 3;

/// What a user of the store may choose.
#[derive(Debug, Clone)]
pub struct RocksOptions {
    /// Whether a commit waits for the disk. Without it a commit survives the end of the process, not a loss of power, and
    /// after a loss of power the store may be refused as behind its witness.
    pub sync: bool,
    /// Chunks are kept in memory up to this many bytes before they are written out; up to twice that while it happens.
    pub memtable_bytes: usize,
    /// Cache of blocks read from SST files: keys, the chunk index, payloads under 4 KiB.
    pub block_cache_bytes: usize,
    /// Whether RocksDB compresses payloads with LZ4. Off: writers of columnar chunks compress better themselves.
    pub compress_chunks: bool,
    /// Threads for flushes and compactions.
    pub max_background_jobs: i32,
}

impl Default for RocksOptions {
    fn default() -> RocksOptions {
        RocksOptions {
            sync: true,
            memtable_bytes: 32 << 20,
            block_cache_bytes: 8 << 20,
            compress_chunks: false,
            max_background_jobs: 2,
        }
    }
}

/// How the database is going to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It doesn't exist yet.
    Create,
    /// It must exist.
    Existing,
    /// It must exist, and nothing in its directory may change.
    ReadOnly,
}

pub(crate) fn database(options: &RocksOptions, access: Access) -> Result<Options, rocksdb::Error> {
    // Only the string form knows this option. With it the manifest has a checksum of every SST and blob file as a whole, and
    // `check` sees damage in bytes that no read would touch.
    let mut db =
        Options::default().get_options_from_string("file_checksum_gen_factory=FileChecksumGenCrc32cFactory")?;
    db.create_if_missing(access == Access::Create);
    db.create_missing_column_families(access == Access::Create);
    db.set_paranoid_checks(true);
    // The default, point-in-time, opens with fewer commits than were acknowledged after one flipped byte. This mode accepts
    // a torn end, which a crash leaves, and refuses damage before it.
    db.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    db.set_track_and_verify_wals_in_manifest(true);
    db.set_max_background_jobs(options.max_background_jobs);
    // Bounds what an open has to replay.
    db.set_max_total_wal_size(3 * options.memtable_bytes as u64);
    // One writer: no group commit to prepare for, and no spinning while it waits for the disk.
    db.set_allow_concurrent_memtable_write(false);
    db.set_enable_write_thread_adaptive_yield(false);
    db.set_stats_dump_period_sec(0);
    db.set_stats_persist_period_sec(0);
    db.set_max_log_file_size(INFO_LOG_BYTES_MAX);
    db.set_keep_log_file_num(INFO_LOG_FILES_MAX);
    if access == Access::ReadOnly {
        // Else RocksDB starts a LOG file in the directory.
        db.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| {}));
    }
    Ok(db)
}

pub(crate) fn families(options: &RocksOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    vec![
        ColumnFamilyDescriptor::new(META, small(&cache)),
        ColumnFamilyDescriptor::new(INDEX, small(&cache)),
        ColumnFamilyDescriptor::new(CHUNKS, chunks(options, &cache)),
    ]
}

/// Writes are either let through or held back, never slowed down: the store does the waiting (see `handle::write`), and a
/// slowed write that doesn't wait in RocksDB only lengthens the delay of the next try.
fn family() -> Options {
    let mut family = Options::default();
    family.set_level_zero_slowdown_writes_trigger(LEVEL_ZERO_FILES_MAX);
    family.set_level_zero_stop_writes_trigger(LEVEL_ZERO_FILES_MAX);
    family.set_soft_pending_compaction_bytes_limit(0);
    family.set_hard_pending_compaction_bytes_limit(0);
    family
}

/// Small keys, small values.
fn small(cache: &Cache) -> Options {
    let mut family = family();
    family.set_write_buffer_size(SMALL_MEMTABLE_BYTES);
    family.set_compression_type(DBCompressionType::Lz4);
    family.set_block_based_table_factory(&table(cache));
    family
}

fn chunks(options: &RocksOptions, cache: &Cache) -> Options {
    let mut family = family();
    family.set_write_buffer_size(options.memtable_bytes);
    family.set_max_write_buffer_number(2);
    family.set_compression_type(DBCompressionType::None);
    family.set_enable_blob_files(true);
    family.set_min_blob_size(BLOB_BYTES_MIN);
    family.set_blob_file_size(BLOB_FILE_BYTES);
    let blobs = if options.compress_chunks { DBCompressionType::Lz4 } else { DBCompressionType::None };
    family.set_blob_compression_type(blobs);
    // Folding kills young chunks first. A blob file that is dead goes without a copy; one of the older half that is half
    // dead is copied.
    family.set_enable_blob_gc(true);
    family.set_blob_gc_age_cutoff(0.5);
    family.set_blob_gc_force_threshold(0.5);
    family.set_block_based_table_factory(&table(cache));
    family
}

fn table(cache: &Cache) -> BlockBasedOptions {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    // Index blocks count against the cache, so that memory is one number.
    table.set_cache_index_and_filter_blocks(true);
    table
}

// Why a device was asked: from whose pages a bio carries, and what its owner's request asked for.
#include "core/ops.hpp"
#include "core/rebuild/blk_types.hpp"
#include "core/rebuild/state.hpp"

namespace iohops {

bool is_own_data(const wire_bio_part& bio, const FileState* file) {
  const bool of_device = (bio.flags & WIRE_BIO_METADATA) != 0;
  if (file == nullptr) return bio.ino != 0 && !of_device;
  if (file->kind == FileKind::kBlock) return of_device && bio.origin_dev == file->rdev;
  if (bio.ino == 0 || of_device) return false;
  return file->overlay || (bio.ino == file->ino && bio.dev == file->dev);
}

namespace {

Cause cause_of_read(const wire_bio_part& bio, const wire_request* owner, const FileState* file) {
  const OpFamily asked = owner != nullptr ? family(owner->op) : OpFamily::kOther;
  // A write loads what surrounds its bytes in their page before it can change them. Pages of another file are what it
  // takes its bytes from: a mapping.
  const bool of_others = file != nullptr && bio.ino != 0 && !is_own_data(bio, file) &&
                         (bio.flags & (WIRE_BIO_METADATA | WIRE_BIO_NO_MAPPING)) == 0;
  if (asked == OpFamily::kWrite && !of_others) return Cause::kReadModifyWrite;
  // So does one that moves bytes from another file into this one.
  if (asked == OpFamily::kMove) {
    return is_own_data(bio, file) ? Cause::kRead : Cause::kReadModifyWrite;
  }
  if ((bio.flags & WIRE_BIO_NO_MAPPING) == 0 &&
      (asked == OpFamily::kRead || asked == OpFamily::kFault)) {
    return Cause::kRead;
  }
  return (bio.op_flags & blk::kReadahead) != 0 ? Cause::kReadahead : Cause::kRead;
}

// sendfile and its kin with O_DIRECT: a device fills pages that were made for it, or takes pages of the source, which
// have no place in the target.
bool past_cache(const RebuildState& s, const wire_bio_part& bio, const wire_request& owner, const FileState* file) {
  if (family(owner.op) != OpFamily::kMove || (bio.flags & WIRE_BIO_METADATA) != 0) return false;
  if (blk::is_read(bio.op_flags)) return bio.ino == 0 && is_direct(s, owner, file);
  return (owner.flags & WIRE_REQUEST_TO_DIRECT) != 0 && (bio.ino == 0 || is_own_data(bio, file));
}

}  // namespace

Cause cause_of(const RebuildState& s, const wire_bio_part& bio, const wire_request* owner, const FileState* file) {
  if (blk::is_flush(bio.op_flags, bio.bytes)) return Cause::kFlush;
  if ((bio.flags & WIRE_BIO_SWAP) != 0) return Cause::kSwap;
  if (blk::is_discard(bio.op_flags)) return Cause::kDiscard;
  if (blk::op(bio.op_flags) == blk::kWriteZeroes) return Cause::kWriteZeroes;
  if (!blk::carries_data(bio.op_flags)) return Cause::kUnknown;
  if ((bio.flags & (WIRE_BIO_USER | WIRE_BIO_HANDED)) != 0) return Cause::kDirect;
  const bool device_pages = (bio.flags & WIRE_BIO_METADATA) != 0 && !is_own_data(bio, file);
  const bool metadata = device_pages || (bio.op_flags & blk::kMeta) != 0;
  if (!metadata && owner != nullptr && past_cache(s, bio, *owner, file)) return Cause::kDirect;
  if (blk::is_read(bio.op_flags))
    return metadata ? Cause::kMetadata : cause_of_read(bio, owner, file);
  if (metadata) {
    // A journal writes synchronously, from pages of the device (jbd2) or its own (xfs); metadata in
    // place goes out later. A heuristic: nothing in a bio names the journal.
    constexpr uint32_t kUrgent = blk::kSync | blk::kFua | blk::kPreflush;
    const bool log_pages = (bio.flags & (WIRE_BIO_METADATA | WIRE_BIO_NO_MAPPING)) != 0;
    return log_pages && (bio.op_flags & kUrgent) != 0 ? Cause::kJournal : Cause::kMetadata;
  }
  return owner != nullptr && asks_for_sync(*owner) ? Cause::kFsync : Cause::kWriteback;
}

void mend_origin(wire_bio_part& bio) {
  constexpr uint32_t kMistaken = WIRE_BIO_USER | WIRE_BIO_SWAP;
  if ((bio.op_flags & blk::kMeta) == 0 || (bio.flags & kMistaken) == 0) return;
  bio.flags = (bio.flags & ~kMistaken) | WIRE_BIO_NO_MAPPING;
}

}  // namespace iohops

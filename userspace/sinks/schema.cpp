#include "sinks/schema.hpp"

namespace iohops {
namespace {

// Minor versions only add members, so additional ones are allowed everywhere. `line` is the schema
// of one object of the JSON Lines form, `document` that of the other form.
constexpr std::string_view kSchema = R"json({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "$id": "urn:iohops:trace:1.0",
  "title": "A trace of iohops, format version 1.0",
  "description": "In a .jsonl file each line is a `line`; a .json file is one `document`. Times (*_ns) are nanoseconds since the start of the trace. A trace without a summary was cut short. Readers ignore members and record types that they do not know.",
  "anyOf": [{"$ref": "#/$defs/line"}, {"$ref": "#/$defs/document"}],
  "$defs": {
    "count": {"type": "integer", "minimum": 0, "maximum": 18446744073709551615},
    "count_or_null": {"anyOf": [{"$ref": "#/$defs/count"}, {"type": "null"}]},
    "u32": {"type": "integer", "minimum": 0, "maximum": 4294967295},
    "i32": {"type": "integer", "minimum": -2147483648, "maximum": 2147483647},
    "i64": {"type": "integer", "minimum": -9223372036854775808, "maximum": 9223372036854775807},
    "ratio": {"description": "null where the whole is 0", "anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]},
    "big_id": {"description": "a 64-bit number, which may be beyond 2^53", "type": "string", "pattern": "^[0-9]+$"},
    "big_id_or_null": {"anyOf": [{"$ref": "#/$defs/big_id"}, {"type": "null"}]},
    "request_id": {"description": "PID.SEQUENCE", "type": "string", "pattern": "^[0-9]+\\.[0-9]+$"},
    "device_id": {"description": "MAJOR:MINOR", "type": "string", "pattern": "^[0-9]+:[0-9]+$"},
    "device_id_or_null": {"anyOf": [{"$ref": "#/$defs/device_id"}, {"type": "null"}]},
    "file_id": {"type": "integer", "minimum": 1, "maximum": 4294967295},
    "file_id_or_null": {"anyOf": [{"$ref": "#/$defs/file_id"}, {"type": "null"}]},
    "name": {"description": "as the kernel has it; bytes that are not UTF-8 are replaced by U+FFFD and all bytes stand beside in *_b64", "type": "string"},
    "base64": {"type": "string", "pattern": "^[A-Za-z0-9+/]*={0,2}$"},
    "evidence": {"description": "the strongest first: a kernel function reported these bytes; tracepoints bracket it; it follows from the result and the kind of file; a heuristic", "enum": ["measured", "observed", "derived", "inferred"]},
    "endpoint": {"enum": ["user", "stdio", "page_cache", "socket", "pipe", "device", "nic", "bounce", "kernel"]},
    "endpoint_or_null": {"anyOf": [{"$ref": "#/$defs/endpoint"}, {"type": "null"}]},
    "cause": {"description": "why a device worked", "enum": ["read", "readahead", "writeback", "fsync", "direct", "journal", "metadata", "read_modify_write", "swap", "flush", "discard", "write_zeroes", "transmit", "receive", "unknown"]},
    "counted_bytes": {
      "type": "object", "required": ["count", "bytes"],
      "properties": {"count": {"$ref": "#/$defs/count"}, "bytes": {"$ref": "#/$defs/count"}}
    },
    "by_hop": {
      "description": "FROM>TO", "type": "object",
      "propertyNames": {"pattern": "^[a-z_]+>[a-z_]+$"}, "additionalProperties": {"$ref": "#/$defs/counted_bytes"}
    },
    "shares": {
      "type": "array",
      "items": {
        "type": "object", "required": ["request", "bytes"],
        "properties": {"request": {"$ref": "#/$defs/request_id"}, "bytes": {"$ref": "#/$defs/count"}}
      }
    },
    "header": {
      "description": "the first record",
      "type": "object",
      "required": ["type", "format", "version", "tool_version", "command_line", "host", "kernel", "start_time", "clock", "targets", "devices", "hooks", "evidence"],
      "properties": {
        "type": {"const": "header"},
        "format": {"const": "iohops"},
        "version": {"description": "MAJOR.MINOR of this format", "type": "string", "pattern": "^1\\.[0-9]+$"},
        "tool_version": {"type": "string"},
        "command_line": {"type": "array", "items": {"$ref": "#/$defs/name"}},
        "command_line_b64": {"type": "array", "items": {"$ref": "#/$defs/base64"}},
        "host": {"type": "string"},
        "kernel": {"description": "release, as uname -r", "type": "string"},
        "machine": {"type": "string"},
        "start_time": {"description": "wall clock at time 0, RFC 3339", "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9]{2}:[0-9]{2})$"},
        "clock": {"type": "string"},
        "page_size": {"$ref": "#/$defs/u32"},
        "cpus": {"$ref": "#/$defs/u32"},
        "scope": {"description": "pid, command or all", "type": "string"},
        "thinned": {"description": "not every request is listed: misses (none that the page cache served at once), 1/N (one of N); left out: all are", "type": "string"},
        "light": {"description": "no system call was traced (--light): the requests are page faults alone, transfers say who queued them; left out: they were", "type": "boolean"},
        "redacted": {"description": "names are hashes with a key that nobody has; left out: they are as they were", "type": "boolean"},
        "targets": {
          "type": "array",
          "items": {
            "type": "object", "required": ["pid", "comm"],
            "properties": {"pid": {"$ref": "#/$defs/u32"}, "comm": {"$ref": "#/$defs/name"}, "comm_b64": {"$ref": "#/$defs/base64"}}
          }
        },
        "devices": {
          "type": "array",
          "items": {
            "type": "object", "required": ["id", "name", "driver", "dma", "logical_block_size"],
            "properties": {
              "id": {"$ref": "#/$defs/device_id"}, "name": {"type": "string"},
              "driver": {"description": "empty: unknown", "type": "string"},
              "dma": {"description": "its driver moves data by DMA", "type": "boolean"},
              "logical_block_size": {"$ref": "#/$defs/u32"}
            }
          }
        },
        "hooks": {
          "type": "object", "required": ["attached", "missing"],
          "properties": {
            "attached": {"type": "array", "items": {"type": "string"}},
            "missing": {
              "type": "array",
              "items": {
                "type": "object", "required": ["hook", "reason", "effect"],
                "properties": {"hook": {"type": "string"}, "reason": {"type": "string"}, "effect": {"description": "what is lost without it", "type": "string"}}
              }
            }
          }
        },
        "evidence": {
          "description": "figure -> the best grade that this trace can give it", "type": "object",
          "additionalProperties": {
            "type": "object", "required": ["grade", "why_not_better"],
            "properties": {"grade": {"$ref": "#/$defs/evidence"}, "why_not_better": {"type": "string"}}
          }
        }
      }
    },
    "process": {
      "description": "again when it execs, is renamed or exits",
      "type": "object", "required": ["type", "pid", "ns_pid", "comm", "start_ns"],
      "properties": {
        "type": {"const": "process"}, "pid": {"$ref": "#/$defs/u32"},
        "ns_pid": {"description": "in its own PID namespace", "$ref": "#/$defs/u32"},
        "parent": {"$ref": "#/$defs/u32"}, "comm": {"$ref": "#/$defs/name"}, "comm_b64": {"$ref": "#/$defs/base64"},
        "start_ns": {"description": "0: before the trace", "$ref": "#/$defs/count"},
        "exit_ns": {"description": "null: not seen", "$ref": "#/$defs/count_or_null"}
      }
    },
    "file": {
      "description": "before the first record that names it by its id",
      "type": "object", "required": ["type", "file", "path", "kind", "dev", "inode", "filesystem"],
      "properties": {
        "type": {"const": "file"}, "file": {"$ref": "#/$defs/file_id"},
        "path": {"$ref": "#/$defs/name"}, "path_b64": {"$ref": "#/$defs/base64"},
        "path_partial": {"description": "leading directories are missing", "type": "boolean"},
        "unlinked": {"type": "boolean"},
        "kind": {"enum": ["regular", "directory", "block", "char", "socket", "pipe", "symlink", "memory", "other"]},
        "dev": {"$ref": "#/$defs/device_id"}, "inode": {"$ref": "#/$defs/big_id"}, "generation": {"$ref": "#/$defs/u32"},
        "filesystem": {"type": "string"}, "filesystem_b64": {"$ref": "#/$defs/base64"},
        "socket": {"description": "sockets only: tcp, udp, unix_stream, ...; a 6 at its end: IPv6", "type": "string"},
        "dax": {"type": "boolean"}
      }
    },
    "hop": {
      "description": "one move of data, or one wait (from and to are null). The request's own entry and exit are implied by its start and duration. Members that do not apply are null.",
      "type": "object", "required": ["hop", "from", "to", "bytes", "at_ns", "end_ns", "transfer", "device", "evidence"],
      "properties": {
        "hop": {"enum": ["mode_switch", "cpu_copy", "dma", "map", "ref", "wait"]},
        "reason": {"description": "waits only", "enum": ["other", "device", "page_lock", "throttled", "preempted"]},
        "from": {"$ref": "#/$defs/endpoint_or_null"}, "to": {"$ref": "#/$defs/endpoint_or_null"},
        "bytes": {"$ref": "#/$defs/count"}, "at_ns": {"$ref": "#/$defs/count"}, "end_ns": {"$ref": "#/$defs/count"},
        "transfer": {"description": "the id of a transfer", "$ref": "#/$defs/big_id_or_null"},
        "device": {"$ref": "#/$defs/device_id_or_null"}, "cause": {"$ref": "#/$defs/cause"}, "evidence": {"$ref": "#/$defs/evidence"}
      },
      "if": {"properties": {"hop": {"const": "wait"}}}, "then": {"required": ["reason"]},
      "else": {"properties": {"from": {"$ref": "#/$defs/endpoint"}, "to": {"$ref": "#/$defs/endpoint"}}}
    },
    "request": {
      "description": "one I/O operation as the application made it",
      "type": "object",
      "required": ["type", "id", "pid", "tid", "comm", "op", "submit", "fd", "file", "offset", "requested", "result", "moves_data", "start_ns", "duration_ns", "path", "cache", "miss_bytes", "readahead_bytes", "dirtied_bytes", "mode_switches", "context_switches", "off_cpu_ns", "hops", "cpu_copies", "cpu_copy_bytes", "dma_transfers", "dma_bytes", "complete"],
      "properties": {
        "type": {"const": "request"}, "id": {"$ref": "#/$defs/request_id"},
        "pid": {"$ref": "#/$defs/u32"}, "tid": {"$ref": "#/$defs/u32"}, "comm": {"$ref": "#/$defs/name"}, "comm_b64": {"$ref": "#/$defs/base64"},
        "op": {"description": "the name of the system call, page_fault, ...", "type": "string"}, "op_b64": {"$ref": "#/$defs/base64"},
        "submit": {"enum": ["syscall", "io_uring", "libaio", "page_fault", "stdio"]},
        "fd": {"description": "-1: none", "$ref": "#/$defs/i32"}, "file": {"$ref": "#/$defs/file_id_or_null"},
        "offset": {"$ref": "#/$defs/count_or_null"}, "requested": {"description": "bytes asked for; null: unknown, or the call asks for something else (events)", "$ref": "#/$defs/count_or_null"},
        "result": {"description": "as the call returned it: negative is -errno", "$ref": "#/$defs/i64"},
        "moves_data": {"description": "a positive result is a count of bytes, unless moved_bytes is there", "type": "boolean"},
        "moved_bytes": {"description": "only where the result says something else: the bytes that were moved", "$ref": "#/$defs/count"},
        "ring": {
          "description": "requests of io_uring and libaio: the system call that submitted it (null: a polling thread did), and who worked on it",
          "type": "object", "required": ["batch", "run_by", "flags"],
          "properties": {
            "batch": {"anyOf": [{"$ref": "#/$defs/request_id"}, {"type": "null"}]},
            "run_by": {"type": "array", "items": {"enum": ["submitter", "worker", "poller", "later"]}},
            "flags": {"type": "array", "items": {"enum": ["multishot", "fixed_file", "drain", "link", "hardlink", "async", "buffer_select", "skip_success"]}}
          }
        },
        "readahead_of": {"description": "of what it took out of the page cache: loaded ahead for these earlier requests, not used since", "$ref": "#/$defs/shares"},
        "to_fd": {"description": "sendfile and its kin: where the bytes went; fd, file and offset are where they came from", "$ref": "#/$defs/i32"},
        "to_file": {"$ref": "#/$defs/file_id_or_null"}, "to_offset": {"$ref": "#/$defs/count_or_null"},
        "error": {"description": "the name of the errno, if it is a common one", "type": "string", "pattern": "^E[A-Z0-9]+$"},
        "start_ns": {"$ref": "#/$defs/count"}, "duration_ns": {"$ref": "#/$defs/count"},
        "path": {"enum": ["buffered", "direct", "mapped", "zero_copy", "socket", "pipe", "memory", "none"]},
        "cache": {"description": "how the page cache served it", "enum": ["hit", "miss", "mixed", "bypass", "none"]},
        "miss_bytes": {"description": "of what was asked for, loaded into the page cache", "$ref": "#/$defs/count"},
        "readahead_bytes": {"description": "loaded beyond what was asked for", "$ref": "#/$defs/count"},
        "dirtied_bytes": {"description": "page-cache folios turned from clean to dirty", "$ref": "#/$defs/count"},
        "mode_switches": {"description": "user to kernel and back: a system call and a page fault have 2", "$ref": "#/$defs/u32"},
        "context_switches": {
          "description": "of the scheduler, inside the request", "type": "object", "required": ["voluntary", "involuntary"],
          "properties": {"voluntary": {"$ref": "#/$defs/u32"}, "involuntary": {"$ref": "#/$defs/u32"}}
        },
        "off_cpu_ns": {"$ref": "#/$defs/count"},
        "hops": {"type": "array", "items": {"$ref": "#/$defs/hop"}},
        "cpu_copies": {"$ref": "#/$defs/u32"}, "cpu_copy_bytes": {"$ref": "#/$defs/count"},
        "dma_transfers": {"description": "what the request itself started, readahead included", "$ref": "#/$defs/u32"},
        "dma_bytes": {"$ref": "#/$defs/count"},
        "complete": {"description": "false: a part of it may have been lost", "type": "boolean"},
        "major_fault": {"description": "page faults only", "type": "boolean"}, "write_fault": {"description": "page faults only", "type": "boolean"},
        "ended": {"description": "absent: it returned; aborted: its thread ended inside it; open: it was still running", "type": "string"}
      }
    },
    "transfer": {
      "description": "one block request, written when it completed",
      "type": "object",
      "required": ["type", "id", "device", "op", "flags", "sector", "bytes", "bios", "splits", "queue_ns", "insert_ns", "issue_ns", "complete_ns", "error", "cause", "owners", "unattributed_bytes", "dma"],
      "properties": {
        "type": {"const": "transfer"}, "id": {"$ref": "#/$defs/big_id"}, "device": {"$ref": "#/$defs/device_id"},
        "op": {"description": "read, write, flush, discard, ...; of a network device: transmit, receive", "type": "string"}, "flags": {"type": "array", "items": {"type": "string"}},
        "sector": {"description": "in units of 512 bytes", "$ref": "#/$defs/count"}, "bytes": {"$ref": "#/$defs/count"},
        "bios": {"$ref": "#/$defs/u32"}, "splits": {"$ref": "#/$defs/u32"}, "requeues": {"$ref": "#/$defs/u32"},
        "queue_ns": {"description": "null: before the trace", "$ref": "#/$defs/count_or_null"},
        "insert_ns": {"description": "null: it went past the I/O scheduler", "$ref": "#/$defs/count_or_null"},
        "issue_ns": {"description": "the last time, null: not seen", "$ref": "#/$defs/count_or_null"},
        "complete_ns": {"$ref": "#/$defs/count"},
        "error": {"description": "0, or -errno", "$ref": "#/$defs/i32"}, "cause": {"$ref": "#/$defs/cause"},
        "owners": {"$ref": "#/$defs/shares"},
        "unattributed_bytes": {"description": "with the owners' bytes: all of the transfer's, if it carries any (a discard does not)", "$ref": "#/$defs/count"},
        "file": {"description": "whose pages it moved", "$ref": "#/$defs/file_id_or_null"},
        "offset": {"description": "of the first page in that file", "$ref": "#/$defs/count_or_null"},
        "dma": {
          "type": "object", "required": ["evidence", "dma", "segments", "mapped_bytes", "bounced_bytes"],
          "properties": {
            "evidence": {"$ref": "#/$defs/evidence"}, "dma": {"description": "false: this device has no DMA", "type": "boolean"},
            "segments": {"$ref": "#/$defs/u32"}, "mapped_bytes": {"$ref": "#/$defs/count"},
            "bounced_bytes": {"description": "copied through a bounce buffer", "$ref": "#/$defs/count"}
          }
        },
        "queued_by": {
          "description": "the threads that queued bytes which no request owns: in a system call that is not traced (close, exit, umount), or where none is (--light); no overlap with the owners unless they had written those pages before",
          "type": "array",
          "items": {
            "type": "object", "required": ["pid", "tid", "bytes"],
            "properties": {"pid": {"$ref": "#/$defs/u32"}, "tid": {"$ref": "#/$defs/u32"}, "bytes": {"$ref": "#/$defs/count"}}
          }
        },
        "parents": {
          "description": "of a device below a stacked one (dm, md, loop): the transfers whose bytes it carries on, told earlier; evidence: that it is these",
          "type": "array",
          "items": {
            "type": "object", "required": ["transfer", "bytes", "evidence"],
            "properties": {"transfer": {"$ref": "#/$defs/big_id"}, "bytes": {"$ref": "#/$defs/count"}, "evidence": {"$ref": "#/$defs/evidence"}}
          }
        },
        "copies": {
          "description": "what the driver of this device copied by CPU to carry the bytes on",
          "type": "array",
          "items": {
            "type": "object", "required": ["from", "to", "bytes", "evidence"],
            "properties": {"from": {"$ref": "#/$defs/endpoint"}, "to": {"$ref": "#/$defs/endpoint"}, "bytes": {"$ref": "#/$defs/count"}, "evidence": {"$ref": "#/$defs/evidence"}}
          }
        },
        "carried_on": {"description": "true: a device or a file below took the bytes over; count them there", "type": "boolean"}
      }
    },
    "effect": {
      "description": "device work after the requests returned, on their behalf",
      "type": "object", "required": ["type", "cause", "requests", "file", "offset", "bytes", "transfer", "at_ns", "delay_ns", "reason"],
      "properties": {
        "type": {"const": "effect"}, "cause": {"$ref": "#/$defs/cause"}, "requests": {"$ref": "#/$defs/shares"},
        "file": {"$ref": "#/$defs/file_id_or_null"}, "offset": {"$ref": "#/$defs/count"}, "bytes": {"$ref": "#/$defs/count"},
        "transfer": {"$ref": "#/$defs/big_id_or_null"}, "at_ns": {"$ref": "#/$defs/count"},
        "delay_ns": {"description": "since the end of the oldest of the requests", "$ref": "#/$defs/count"}, "reason": {"type": "string"}, "reason_b64": {"$ref": "#/$defs/base64"},
        "to_cache": {"description": "true: into the page cache of the file that a loop device lies in, from where they are written once more", "type": "boolean"}
      }
    },
    "flow_members": {
      "type": "object", "required": ["from_request", "to_request", "bytes", "evidence", "cpu_copies", "dma", "mode_switches", "kind", "advice"],
      "properties": {
        "from_request": {"$ref": "#/$defs/request_id"}, "to_request": {"$ref": "#/$defs/request_id"}, "bytes": {"$ref": "#/$defs/count"},
        "evidence": {"$ref": "#/$defs/evidence"}, "cpu_copies": {"description": "of both requests, like the next two", "$ref": "#/$defs/count"}, "dma": {"$ref": "#/$defs/count"}, "mode_switches": {"$ref": "#/$defs/count"},
        "copied_bytes": {"description": "that the copies of both requests moved for it", "$ref": "#/$defs/count"}, "from_file": {"$ref": "#/$defs/file_id_or_null"}, "to_file": {"$ref": "#/$defs/file_id_or_null"},
        "flows": {"description": "in the summary: so many, added up; the requests are those of the first", "$ref": "#/$defs/count"},
        "kind": {"type": "string"}, "kind_b64": {"$ref": "#/$defs/base64"}, "advice": {"description": "the system call that would move the bytes without the application; empty: none", "type": "string"}, "advice_b64": {"$ref": "#/$defs/base64"},
        "type": {"const": "flow"}
      }
    },
    "flow": {"description": "requests that moved the same bytes on", "$ref": "#/$defs/flow_members", "required": ["type"]},
    "loss": {
      "description": "what could not be recorded: the requests that it may have hit are not complete",
      "type": "object", "required": ["type", "at_ns", "cause", "count"],
      "properties": {
        "type": {"const": "loss"}, "at_ns": {"$ref": "#/$defs/count"}, "cause": {"type": "string"}, "cause_b64": {"$ref": "#/$defs/base64"}, "count": {"$ref": "#/$defs/count"}
      }
    },
    "totals": {
      "type": "object",
      "required": ["requests", "errors", "requested_bytes", "returned_bytes", "cpu_copy_bytes", "dma_bytes", "mode_switches", "hit_bytes", "miss_bytes", "duration_ns", "off_cpu_ns", "latency"],
      "properties": {
        "requests": {"$ref": "#/$defs/count"}, "errors": {"$ref": "#/$defs/count"}, "requested_bytes": {"$ref": "#/$defs/count"}, "returned_bytes": {"$ref": "#/$defs/count"},
        "cpu_copy_bytes": {"$ref": "#/$defs/count"}, "dma_bytes": {"$ref": "#/$defs/count"}, "mode_switches": {"$ref": "#/$defs/count"},
        "hit_bytes": {"$ref": "#/$defs/count"}, "awaited_bytes": {"$ref": "#/$defs/count"}, "miss_bytes": {"$ref": "#/$defs/count"}, "duration_ns": {"$ref": "#/$defs/count"}, "off_cpu_ns": {"$ref": "#/$defs/count"},
        "latency": {
          "description": "[i, n] in log2_buckets: n requests took 2^i <= ns < 2^(i+1); percentiles are interpolated in a bucket",
          "type": "object", "required": ["count", "sum_ns", "p50_ns", "p99_ns", "max_ns", "log2_buckets"],
          "properties": {
            "count": {"$ref": "#/$defs/count"}, "sum_ns": {"$ref": "#/$defs/count"}, "p50_ns": {"$ref": "#/$defs/count"}, "p99_ns": {"$ref": "#/$defs/count"}, "max_ns": {"$ref": "#/$defs/count"},
            "log2_buckets": {"type": "array", "items": {"type": "array", "minItems": 2, "maxItems": 2, "items": {"$ref": "#/$defs/count"}}}
          }
        },
        "file": {"description": "in by_file: null is the row of all files beyond the listed ones, and of requests without a file", "$ref": "#/$defs/file_id_or_null"},
        "path": {"$ref": "#/$defs/name"}, "path_b64": {"$ref": "#/$defs/base64"}
      }
    },
    "waits": {
      "type": "object", "required": ["other", "device", "page_lock", "throttled", "preempted"],
      "properties": {"other": {"$ref": "#/$defs/count"}, "device": {"$ref": "#/$defs/count"}, "page_lock": {"$ref": "#/$defs/count"}, "throttled": {"$ref": "#/$defs/count"}, "preempted": {"$ref": "#/$defs/count"}}
    },
    "summary": {
      "description": "the last record; null: unknown, as system calls were not traced (light)",
      "type": "object",
      "required": ["type", "duration_ns", "stop_reason", "requests", "partial_requests", "bytes_requested", "bytes_returned", "mode_switches", "context_switches", "cpu_copies", "dma", "device_no_dma", "unattributed", "mapped", "page_cache", "writeback", "wait_ns", "on_cpu_ns", "per_byte", "switches_per_mib", "by_op", "by_file", "flows", "syncs", "advice", "lost", "overhead"],
      "properties": {
        "type": {"const": "summary"}, "duration_ns": {"$ref": "#/$defs/count"},
        "stop_reason": {"description": "interrupted, duration, target_exit; empty: unknown", "type": "string"},
        "requests_left_out": {"description": "of the requests: not listed (--detail, --sample); every figure here counts them", "$ref": "#/$defs/count"},
        "suspended_ns": {"description": "so long the machine was suspended meanwhile; no other time counts it", "$ref": "#/$defs/count"},
        "clock_step_ns": {"description": "the wall clock was set meanwhile, by so much", "type": "integer"},
        "light": {"description": "system calls were not traced: the figures below are those of page faults and of devices", "type": "boolean"},
        "requests": {"$ref": "#/$defs/count"}, "partial_requests": {"$ref": "#/$defs/count"},
        "bytes_requested": {"description": "by requests that move data", "$ref": "#/$defs/count_or_null"}, "bytes_returned": {"$ref": "#/$defs/count_or_null"},
        "mode_switches": {"$ref": "#/$defs/count_or_null"},
        "context_switches": {
          "type": ["object", "null"], "required": ["voluntary", "involuntary"],
          "properties": {"voluntary": {"$ref": "#/$defs/count"}, "involuntary": {"$ref": "#/$defs/count"}}
        },
        "cpu_copies": {
          "description": "evidence: the weakest that occurred; in_doubt: requests whose copy was measured otherwise than derived", "type": ["object", "null"], "required": ["count", "bytes", "evidence", "by_hop"],
          "properties": {"count": {"$ref": "#/$defs/count"}, "bytes": {"$ref": "#/$defs/count"}, "evidence": {"$ref": "#/$defs/evidence"}, "by_hop": {"$ref": "#/$defs/by_hop"}, "in_doubt": {"$ref": "#/$defs/count"}}
        },
        "dma": {
          "description": "transfers of devices that have DMA; one that carries no data (a flush, a discard) counts with 0 bytes", "type": "object", "required": ["count", "bytes", "evidence", "by_cause", "by_hop"],
          "properties": {
            "count": {"$ref": "#/$defs/count"}, "bytes": {"$ref": "#/$defs/count"}, "evidence": {"$ref": "#/$defs/evidence"},
            "by_cause": {"type": "object", "propertyNames": {"$ref": "#/$defs/cause"}, "additionalProperties": {"$ref": "#/$defs/counted_bytes"}},
            "by_hop": {"$ref": "#/$defs/by_hop"}
          }
        },
        "device_no_dma": {"description": "transfers of devices without DMA (loop, zram, device mapper)", "$ref": "#/$defs/counted_bytes"},
        "carried_on": {"description": "of all transfers, those of stacked devices whose bytes a device or a file below took over", "$ref": "#/$defs/counted_bytes"},
        "unattributed": {
          "description": "bytes: the part of dma.bytes that no request owns; by: the same by device and cause, devices without DMA included",
          "type": "object", "required": ["bytes", "by"],
          "properties": {
            "bytes": {"$ref": "#/$defs/count"},
            "by": {
              "type": "array",
              "items": {
                "type": "object", "required": ["device", "cause", "bytes"],
                "properties": {"device": {"$ref": "#/$defs/device_id"}, "cause": {"$ref": "#/$defs/cause"}, "bytes": {"$ref": "#/$defs/count"}}
              }
            }
          }
        },
        "mapped": {"description": "page-cache pages mapped into a process", "$ref": "#/$defs/counted_bytes"},
        "page_cache": {
          "type": ["object", "null"], "required": ["hit_bytes", "miss_bytes", "readahead_bytes", "readahead_unused_bytes"],
          "properties": {"hit_bytes": {"$ref": "#/$defs/count"}, "awaited_bytes": {"description": "in the page cache but still being loaded: waited for, neither hit nor miss", "$ref": "#/$defs/count"}, "miss_bytes": {"$ref": "#/$defs/count"}, "readahead_bytes": {"$ref": "#/$defs/count"}, "readahead_unused_bytes": {"$ref": "#/$defs/count"}}
        },
        "writeback": {
          "description": "absorbed: overwritten before it was written, a device write saved; pending: still dirty at the end", "type": ["object", "null"], "required": ["bytes", "absorbed_bytes", "pending_bytes"],
          "properties": {"bytes": {"$ref": "#/$defs/count"}, "absorbed_bytes": {"$ref": "#/$defs/count"}, "pending_bytes": {"$ref": "#/$defs/count"}}
        },
        "wait_ns": {"description": "inside requests, by reason", "anyOf": [{"$ref": "#/$defs/waits"}, {"type": "null"}]},
        "on_cpu_ns": {"description": "inside requests", "$ref": "#/$defs/count_or_null"},
        "per_byte": {
          "description": "by bytes_returned", "type": ["object", "null"], "required": ["cpu_copies", "dma"],
          "properties": {"cpu_copies": {"$ref": "#/$defs/ratio"}, "dma": {"$ref": "#/$defs/ratio"}}
        },
        "switches_per_mib": {"$ref": "#/$defs/ratio"},
        "by_op": {"type": "object", "additionalProperties": {"$ref": "#/$defs/totals"}},
        "by_file": {"description": "the most bytes returned first; the rows sum up to the totals", "type": ["array", "null"], "items": {"$ref": "#/$defs/totals", "required": ["file"]}},
        "flows": {"description": "by file and kind, the most bytes first", "type": ["array", "null"], "items": {"$ref": "#/$defs/flow_members"}},
        "syncs": {
          "description": "requests for durability (fsync and its kin, writes with O_DSYNC): what devices wrote for them, with their share of commits that others shared, and what they waited for",
          "type": ["object", "null"], "required": ["requests", "duration_ns", "data_bytes", "journal_bytes", "flushes", "wait_ns"],
          "properties": {
            "requests": {"$ref": "#/$defs/count"}, "duration_ns": {"$ref": "#/$defs/count"}, "data_bytes": {"$ref": "#/$defs/count"},
            "journal_bytes": {"$ref": "#/$defs/count"}, "flushes": {"$ref": "#/$defs/count"},
            "wait_ns": {"$ref": "#/$defs/waits"}
          }
        },
        "advice": {
          "type": "array",
          "items": {
            "type": "object", "required": ["id", "title", "evidence_requests", "saves", "how"],
            "properties": {
              "id": {"type": "string"}, "title": {"type": "string"}, "evidence_requests": {"type": "array", "items": {"$ref": "#/$defs/request_id"}},
              "saves": {
                "type": "object", "required": ["cpu_copies", "bytes", "mode_switches"],
                "properties": {"cpu_copies": {"$ref": "#/$defs/count"}, "bytes": {"$ref": "#/$defs/count"}, "mode_switches": {"$ref": "#/$defs/count"}}
              },
              "how": {"type": "string"}
            }
          }
        },
        "lost": {
          "type": "object", "required": ["total", "by_cause"],
          "properties": {"total": {"$ref": "#/$defs/count"}, "by_cause": {"type": "object", "additionalProperties": {"$ref": "#/$defs/count"}}}
        },
        "overhead": {
          "description": "bpf_ns: run time of the programs in the kernel, for every process that met them, null: not measured (kernel.bpf_stats_enabled is off); cpu_percent: of the collector while it traced, of one CPU; ring_wanted_bytes: a ring that would have lost nothing", "type": "object", "required": ["bpf_ns", "cpu_percent", "events", "ring_peak_percent"],
          "properties": {"bpf_ns": {"$ref": "#/$defs/count_or_null"}, "cpu_percent": {"type": "number", "minimum": 0}, "events": {"$ref": "#/$defs/count"}, "ring_peak_percent": {"type": "number", "minimum": 0}, "ring_wanted_bytes": {"$ref": "#/$defs/count"}}
        }
      }
    },
    "record": {
      "description": "all but the first and the last",
      "oneOf": [{"$ref": "#/$defs/process"}, {"$ref": "#/$defs/file"}, {"$ref": "#/$defs/request"}, {"$ref": "#/$defs/transfer"}, {"$ref": "#/$defs/effect"}, {"$ref": "#/$defs/flow"}, {"$ref": "#/$defs/loss"}]
    },
    "line": {"oneOf": [{"$ref": "#/$defs/header"}, {"$ref": "#/$defs/record"}, {"$ref": "#/$defs/summary"}]},
    "document": {
      "type": "object", "required": ["header", "records"],
      "properties": {
        "header": {"$ref": "#/$defs/header"}, "records": {"type": "array", "items": {"$ref": "#/$defs/record"}}, "summary": {"$ref": "#/$defs/summary"}
      }
    }
  }
}
)json";

}  // namespace

std::string_view json_schema() { return kSchema; }

}  // namespace iohops

// Which arm64 instructions write memory: encodings as GNU as gives them, each kind once.
#include "bpf/instruction.h"

#include <gtest/gtest.h>

namespace iohops {
namespace {

struct Instruction {
  unsigned code;
  const char* text;
};

constexpr Instruction kStores[] = {
    {0xf9000020, "str x0,[x1]"},           {0xb8004c20, "str w0,[x1,#4]!"},
    {0x38001420, "strb w0,[x1],#1"},       {0xa9bf07e0, "stp x0,x1,[sp,#-16]!"},
    {0xa8000440, "stnp x0,x1,[x2]"},       {0x3d800020, "str q0,[x1]"},
    {0xfc226820, "str d0,[x1,x2]"},        {0xad000400, "stp q0,q1,[x0]"},
    {0x4c007020, "st1 {v0.16b},[x1]"},     {0xc8007c41, "stxr w0,x1,[x2]"},
    {0xc89ffc20, "stlr x0,[x1]"},          {0xc8200861, "stxp w0,x1,x2,[x3]"},
    {0xc8a07c41, "cas x0,x1,[x2]"},        {0x88e0fc41, "casal w0,w1,[x2]"},
    {0x48207c82, "casp x0,x1,x2,x3,[x4]"}, {0xf8200041, "ldadd x0,x1,[x2]"},
    {0xf8208041, "swp x0,x1,[x2]"},        {0xf820003f, "stadd x0,[x1]"},
    {0xd9008020, "stlur x0,[x1,#8]"},      {0x3c9fd020, "stur q0,[x1,#-3]"},
    {0x78226820, "strh w0,[x1,x2]"},       {0xd50b7420, "dc zva, x0"},
};
constexpr Instruction kOthers[] = {
    {0xf9400020, "ldr x0,[x1]"},
    {0xb9800420, "ldrsw x0,[x1,#4]"},
    {0x39c00020, "ldrsb w0,[x1]"},
    {0xa8c107e0, "ldp x0,x1,[sp],#16"},
    {0x69400440, "ldpsw x0,x1,[x2]"},
    {0x3dc00020, "ldr q0,[x1]"},
    {0xfc626820, "ldr d0,[x1,x2]"},
    {0xad400400, "ldp q0,q1,[x0]"},
    {0x4c407020, "ld1 {v0.16b},[x1]"},
    {0x4d40c020, "ld1r {v0.16b},[x1]"},
    {0xc85f7c41, "ldxr x1,[x2]"},
    {0xc8dffc20, "ldar x0,[x1]"},
    {0xc87f0861, "ldxp x1,x2,[x3]"},
    {0x58fffe60, "ldr x0, l1"},
    {0x9cfffe40, "ldr q0, l1"},
    {0xf8bfc020, "ldapr x0,[x1]"},
    {0xb8bfc020, "ldapr w0,[x1]"},
    {0x38bfc020, "ldaprb w0,[x1]"},
    {0xd9408020, "ldapur x0,[x1,#8]"},
    {0xf8200420, "ldraa x0,[x1]"},
    {0xf8a01c20, "ldrab x0,[x1,#8]!"},
    {0xf9800000, "prfm pldl1keep,[x0]"},
    {0x78626820, "ldrh w0,[x1,x2]"},
    {0x8b020020, "add x0,x1,x2"},
    {0x17ffffe8, "b l1"},
    {0xa8400440, "ldnp x0,x1,[x2]"},
    {0x3cdfd020, "ldur q0,[x1,#-3]"},
    {0xf8400820, "ldtr x0,[x1]"},
    {0xd503201f, "nop"},
};

TEST(Instruction, what_writes_memory_is_a_store) {
  for (const Instruction& each : kStores) EXPECT_TRUE(is_arm64_store(each.code)) << each.text;
}

TEST(Instruction, what_only_reads_memory_or_does_neither_is_none) {
  for (const Instruction& each : kOthers) EXPECT_FALSE(is_arm64_store(each.code)) << each.text;
}

}  // namespace
}  // namespace iohops

// The extract of the kernel's types that relocations are resolved against.
#include "system/type_extract.hpp"

#include <bpf/btf.h>
#include <gtest/gtest.h>

#include <memory>
#include <string_view>
#include <vector>

namespace iohops {
namespace {

struct FreeBtf {
  void operator()(btf* types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

// A kernel: types that nobody seeks, a struct with others in it, a pointer, a bit field.
struct Kernel {
  Btf types{btf__new_empty()};
  int integer = btf__add_int(types.get(), "int", 4, BTF_INT_SIGNED);
  int stranger = btf__add_struct(types.get(), "stranger", 4);
  int behind = btf__add_struct(types.get(), "behind", 8);
  int pointer = btf__add_ptr(types.get(), behind);
  int inner = btf__add_struct(types.get(), "inner", 4);
  int value = btf__add_field(types.get(), "value", integer, 0, 0);
  int alias = btf__add_typedef(types.get(), "inner_t", inner);
  int array = btf__add_array(types.get(), integer, alias, 3);
  int outer = btf__add_struct(types.get(), "outer", 32);

  Kernel() {
    btf__add_field(types.get(), "next", pointer, 0, 0);
    btf__add_field(types.get(), "all", array, 64, 0);
    btf__add_field(types.get(), "bit", integer, 160, 1);
  }
};

std::vector<std::byte> image_of(const Btf& types) {
  __u32 bytes = 0;
  const auto* data = static_cast<const std::byte*>(btf__raw_data(types.get(), &bytes));
  return {data, data + bytes};
}

Btf read(const std::vector<std::byte>& image) {
  return Btf(btf__new(image.data(), static_cast<__u32>(image.size())));
}

int find(const Btf& types, const char* name, uint32_t kind) {
  return btf__find_by_name_kind(types.get(), name, kind);
}

TEST(TypeExtract, a_sought_struct_comes_with_what_it_holds_and_nothing_else) {
  const Kernel kernel;
  const auto types = KernelTypes::parse(image_of(kernel.types));
  ASSERT_TRUE(types);
  const Btf extract = read(extract_types(*types, {}, {{{"outer", BTF_KIND_STRUCT}}}));
  ASSERT_TRUE(extract);
  const int outer = find(extract, "outer", BTF_KIND_STRUCT);
  ASSERT_GT(outer, 0);
  const btf_type* type = btf__type_by_id(extract.get(), outer);
  ASSERT_EQ(btf_vlen(type), 3);
  EXPECT_EQ(type->size, 32U);
  const btf_member* members = btf_members(type);
  EXPECT_STREQ(btf__name_by_offset(extract.get(), members[1].name_off), "all");
  EXPECT_EQ(btf__resolve_size(extract.get(), members[1].type), 12);
  EXPECT_EQ(btf_member_bitfield_size(type, 2), 1U);
  EXPECT_EQ(btf_member_bit_offset(type, 2), 160U);
  const btf_type* next = btf__type_by_id(extract.get(), members[0].type);
  EXPECT_TRUE(btf_is_ptr(next));
  EXPECT_EQ(next->type, 0U);
  EXPECT_GT(find(extract, "inner", BTF_KIND_STRUCT), 0);
  EXPECT_LT(find(extract, "behind", BTF_KIND_STRUCT), 0);
  EXPECT_LT(find(extract, "stranger", BTF_KIND_STRUCT), 0);
}

TEST(TypeExtract, another_kind_of_the_same_name_is_not_sought) {
  const Kernel kernel;
  const auto types = KernelTypes::parse(image_of(kernel.types));
  ASSERT_TRUE(types);
  const Btf extract = read(extract_types(*types, {}, {{{"outer", BTF_KIND_UNION}}}));
  EXPECT_LT(find(extract, "outer", BTF_KIND_STRUCT), 0);
}

TEST(TypeExtract, a_type_whose_number_is_used_keeps_it) {
  const Kernel kernel;
  const auto types = KernelTypes::parse(image_of(kernel.types));
  ASSERT_TRUE(types);
  const SoughtType sought[] = {{"inner", BTF_KIND_STRUCT, true}, {"outer", BTF_KIND_STRUCT}};
  const Btf extract = read(extract_types(*types, {}, sought));
  EXPECT_EQ(find(extract, "inner", BTF_KIND_STRUCT), kernel.inner);
  EXPECT_GT(find(extract, "outer", BTF_KIND_STRUCT), kernel.inner);
  EXPECT_LT(find(extract, "stranger", BTF_KIND_STRUCT), 0);
}

TEST(TypeExtract, a_module_gives_what_the_kernel_has_not) {
  const Kernel kernel;
  const Btf split(btf__new_empty_split(kernel.types.get()));
  const int inner = btf__add_struct(split.get(), "inner", 64);  // the kernel has one
  btf__add_struct(split.get(), "loop", 96);
  btf__add_field(split.get(), "outer", kernel.outer, 0, 0);
  btf__add_field(split.get(), "other", inner, 256, 0);
  const auto types = KernelTypes::parse(image_of(kernel.types));
  ASSERT_TRUE(types);
  const auto module = KernelTypes::parse(image_of(split), &*types);
  ASSERT_TRUE(module);
  const KernelTypes* modules[] = {&*module};
  const SoughtType sought[] = {{"inner", BTF_KIND_STRUCT}, {"loop", BTF_KIND_STRUCT}};
  const Btf extract = read(extract_types(*types, modules, sought));
  const int loop = find(extract, "loop", BTF_KIND_STRUCT);
  ASSERT_GT(loop, 0);
  const btf_member* member = btf_members(btf__type_by_id(extract.get(), loop));
  EXPECT_EQ(static_cast<int>(member->type), find(extract, "outer", BTF_KIND_STRUCT));
  EXPECT_EQ(btf__resolve_size(extract.get(), member[1].type), 64);
  int named = 0;
  for (unsigned id = 1; id < btf__type_cnt(extract.get()); id++)
    named += btf__name_by_offset(extract.get(), btf__type_by_id(extract.get(), id)->name_off) == std::string_view("inner");
  EXPECT_EQ(named, 1) << "two of a name are ambiguous";
  EXPECT_EQ(btf__type_by_id(extract.get(), find(extract, "inner", BTF_KIND_STRUCT))->size, 4U);
}

TEST(CoreRelocations, the_last_flavour_of_a_name_does_not_count) {
  const auto essential = [](std::string_view name) {
    return name.substr(0, essential_length(name));
  };
  EXPECT_EQ(essential("request___pre_5_17"), "request");
  EXPECT_EQ(essential("a___b___c"), "a___b");
  EXPECT_EQ(essential("request"), "request");
  EXPECT_EQ(essential("___x"), "___x");
  EXPECT_EQ(essential("x____y"), "x____y");
  EXPECT_EQ(essential("x___"), "x___");
}

TEST(CoreRelocations, what_is_no_object_is_refused) {
  const std::vector<std::byte> nothing(100);
  EXPECT_FALSE(sought_types(nothing));
}

}  // namespace
}  // namespace iohops

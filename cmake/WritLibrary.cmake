# writ_library(NAME SOURCES a.cc … [DEPS base json …] [LIBS OpenSSL::Crypto …] [PCH <header> …]
#              [TESTS a_test.cc …] [TEST_DEPS evidence …] [BENCHES a_bench.cc …])
# One folder = one static library `writ_NAME` (alias writ::NAME). DEPS are other rooms, LIBS third-party targets.
# TESTS become one executable NAME_test whose cases CTest runs one by one under the label NAME.
# The sanitizer presets compile eight files of a room as one (CMAKE_UNITY_BUILD): what a file keeps to itself is named for itself.
# A room precompiles the common headers; with PCH, on top of them, those that most of its files include and that take long.
function(writ_library name)
  cmake_parse_arguments(A "" "" "SOURCES;DEPS;LIBS;PCH;TESTS;TEST_DEPS;TEST_LIBS;BENCHES" ${ARGN})
  add_library(writ_${name} STATIC ${A_SOURCES})
  add_library(writ::${name} ALIAS writ_${name})
  target_include_directories(writ_${name} PUBLIC ${CMAKE_SOURCE_DIR}/src)
  list(TRANSFORM A_DEPS PREPEND "writ::" OUTPUT_VARIABLE deps)
  target_link_libraries(writ_${name} PUBLIC ${deps} ${A_LIBS})
  if(A_PCH)
    target_precompile_headers(writ_${name} PRIVATE ${WRIT_COMMON_HEADERS} ${A_PCH})
  else()
    target_precompile_headers(writ_${name} REUSE_FROM writ_pch)
  endif()
  if(WRIT_TESTS AND A_TESTS)
    writ_test(${name} SOURCES ${A_TESTS} DEPS ${name} ${A_TEST_DEPS} LIBS ${A_TEST_LIBS})
  endif()
  if(WRIT_BENCH AND A_BENCHES)
    add_executable(${name}_bench ${A_BENCHES})
    target_link_libraries(${name}_bench PRIVATE writ::${name} benchmark::benchmark_main)
  endif()
endfunction()

# What nearly every file includes is compiled once for all rooms and once for all tests: it is a third of their compile time.
# A file includes what it uses all the same: -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON finds what is missing.
set(WRIT_COMMON_HEADERS <algorithm> <array> <atomic> <charconv> <chrono> <condition_variable> <cstdint> <cstring> <deque> <filesystem>
  <fmt/format.h> <fstream> <functional> <map> <memory> <mutex> <optional> <set> <span> <sstream> <string> <string_view> <thread>
  <tl/expected.hpp> <unordered_map> <utility> <variant> <vector>)
file(WRITE ${CMAKE_BINARY_DIR}/pch.cc "")
add_library(writ_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
target_link_libraries(writ_pch PRIVATE fmt::fmt tl::expected Threads::Threads)
target_precompile_headers(writ_pch PRIVATE ${WRIT_COMMON_HEADERS})
# What is tested is optimised, the tests are not, nor do they guide a fuzzer: they compile in half the time.
set(WRIT_TEST_OPTIONS -O0 -U_FORTIFY_SOURCE -fno-sanitize=fuzzer-no-link)
if(WRIT_TESTS)
  add_library(writ_test_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
  target_link_libraries(writ_test_pch PRIVATE fmt::fmt GTest::gmock tl::expected Threads::Threads)
  target_compile_options(writ_test_pch PRIVATE ${WRIT_TEST_OPTIONS})
  target_precompile_headers(writ_test_pch PRIVATE ${WRIT_COMMON_HEADERS} <gtest/gtest.h> <gmock/gmock.h>)
endif()

# writ_test(NAME SOURCES … DEPS … [LIBS …] [LABEL label] [TIMEOUT s]): one GoogleTest executable NAME_test.
function(writ_test name)
  cmake_parse_arguments(A "" "LABEL;TIMEOUT" "SOURCES;DEPS;LIBS" ${ARGN})
  if(NOT A_LABEL)
    set(A_LABEL ${name})
  endif()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 300)
  endif()
  add_executable(${name}_test ${A_SOURCES})
  list(TRANSFORM A_DEPS PREPEND "writ::" OUTPUT_VARIABLE deps)
  target_link_libraries(${name}_test PRIVATE ${deps} ${A_LIBS} GTest::gmock_main)
  target_precompile_headers(${name}_test REUSE_FROM writ_test_pch)
  target_compile_options(${name}_test PRIVATE ${WRIT_TEST_OPTIONS})
  target_compile_definitions(${name}_test PRIVATE WRIT_SOURCE_DIR="${CMAKE_SOURCE_DIR}" WRIT_BINARY_DIR="${CMAKE_BINARY_DIR}")
  gtest_discover_tests(${name}_test DISCOVERY_MODE PRE_TEST TEST_PREFIX "${name}." PROPERTIES LABELS ${A_LABEL} TIMEOUT ${A_TIMEOUT})
endfunction()

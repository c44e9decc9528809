# Compiler, linker and hardening flags for every target of the project.
# clang only: g++ 12 double-frees in coroutines (docs/architecture.md, section 6).
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "Writ is built with clang-19: use a preset (cmake --preset release) or pass -DCMAKE_CXX_COMPILER=clang++-19")
endif()

# mold links fastest. lld lays functions out by who calls whom how often, which a release build's profile knows.
find_program(WRIT_MOLD mold)
find_program(WRIT_LLD ld.lld-19)
if(CMAKE_BUILD_TYPE STREQUAL "Release" AND WRIT_LLD)
  add_link_options(-fuse-ld=lld-19)
elseif(WRIT_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
find_program(WRIT_CCACHE ccache)
if(WRIT_CCACHE)
  # Depend mode does not preprocess what it then compiles (a sixth of a cold build); the others let precompiled headers be cached
  # and let build directories share objects.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_DEPEND=1 CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${WRIT_CCACHE})
  add_compile_options("SHELL:-Xclang -fno-pch-timestamp")
endif()

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wold-style-cast -Werror
                    -fno-omit-frame-pointer -fstack-protector-strong -fPIE)
add_link_options(-pie -Wl,-z,relro,-z,now)
if(CMAKE_BUILD_TYPE MATCHES "Release|RelWithDebInfo")
  add_compile_options(-march=x86-64-v2 -D_FORTIFY_SOURCE=2 -fno-plt -momit-leaf-frame-pointer)
endif()

# Release builds are laid out by what a gateway under load does (scripts/train).
option(WRIT_TRAIN "Count what runs, for scripts/train" OFF)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  # Functions of one file are told apart by its name, wherever the checkout is.
  add_compile_options("SHELL:-mllvm -static-func-strip-dirname-prefix=99")
  find_program(WRIT_PROFDATA llvm-profdata-19)
  if(WRIT_TRAIN)
    add_compile_options(-fprofile-generate -fprofile-update=prefer-atomic)
    add_link_options(-fprofile-generate)
  elseif(WRIT_PROFDATA AND CMAKE_CXX_COMPILER_VERSION MATCHES "^19[.]")
    set(WRIT_PROFTEXT ${CMAKE_SOURCE_DIR}/cmake/hot.proftext)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${WRIT_PROFTEXT})
    file(MD5 ${WRIT_PROFTEXT} WRIT_PROFILE_ID)  # in the name, so that another profile compiles anew
    set(WRIT_PROFILE ${CMAKE_BINARY_DIR}/hot-${WRIT_PROFILE_ID}.profdata)
    execute_process(COMMAND ${WRIT_PROFDATA} merge -sparse -o ${WRIT_PROFILE} ${WRIT_PROFTEXT} COMMAND_ERROR_IS_FATAL ANY)
    add_compile_options(-fprofile-use=${WRIT_PROFILE} -Wno-profile-instr-unprofiled -Wno-profile-instr-out-of-date
                        -Wno-backend-plugin)
    # Hot code together: functions by the call graph, their blocks by their weight, and what never ran elsewhere.
    add_compile_options(-ffunction-sections -fsplit-machine-functions "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-mllvm -enable-ext-tsp-block-placement=1>")
    add_link_options(-Wl,-z,keep-text-section-prefix)
  else()
    message(STATUS "Without llvm-profdata-19 and clang 19 the profile in cmake/hot.proftext is not used: writ is slower")
  endif()
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  add_compile_definitions(_GLIBCXX_ASSERTIONS)
endif()
if(WRIT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)  # everything a target may reach guides its search
endif()
if(WRIT_SANITIZE)
  add_compile_options(-fsanitize=${WRIT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${WRIT_SANITIZE})
endif()

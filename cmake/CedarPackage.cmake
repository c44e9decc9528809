# The Cedar engine as a package of its own: find_package(writ-cedar), target writ::cedar. One static library that holds the engine, the JSON reader
# and the four files of base they use; `cmake --install BUILD --component cedar --prefix DIR` installs it.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(writ-cedar STATIC
  ${CMAKE_SOURCE_DIR}/src/base/check.cc ${CMAKE_SOURCE_DIR}/src/base/error.cc ${CMAKE_SOURCE_DIR}/src/base/inert.cc
  ${CMAKE_SOURCE_DIR}/src/base/secret.cc $<TARGET_OBJECTS:writ_json> $<TARGET_OBJECTS:writ_cedar>)
target_compile_features(writ-cedar PUBLIC cxx_std_20)
target_link_libraries(writ-cedar PUBLIC fmt::fmt tl::expected simdjson::simdjson PkgConfig::SODIUM)
target_include_directories(writ-cedar
  PRIVATE ${CMAKE_SOURCE_DIR}/src
  INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/src> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/writ>)
set_target_properties(writ-cedar PROPERTIES EXPORT_NAME cedar)

install(TARGETS writ-cedar EXPORT writ-cedar-targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT cedar)
foreach(header base/error.h base/limits.h json/value.h
        cedar/cedar.h cedar/formatter.h cedar/partial.h cedar/schema.h cedar/validator.h)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${CMAKE_SOURCE_DIR}/src/${header}
    DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/writ/${folder} COMPONENT cedar)
endforeach()

set(cedar_package ${CMAKE_INSTALL_LIBDIR}/cmake/writ-cedar)
install(EXPORT writ-cedar-targets NAMESPACE writ:: DESTINATION ${cedar_package} COMPONENT cedar)
configure_package_config_file(${CMAKE_SOURCE_DIR}/cmake/package/writ-cedar-config.cmake.in
  ${CMAKE_BINARY_DIR}/writ-cedar-config.cmake INSTALL_DESTINATION ${cedar_package})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/writ-cedar-config-version.cmake
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/writ-cedar-config.cmake ${CMAKE_BINARY_DIR}/writ-cedar-config-version.cmake
  DESTINATION ${cedar_package} COMPONENT cedar)

# Unpacks the Cedar corpus into WORK_DIR (once for each state of the archive) and runs PROGRAM over
# it. Without the shared folder the test is skipped; with the folder but no corpus it fails.
set(shared "$ENV{WRIT_SHARED}")
if(NOT shared)
  set(shared "${SOURCE_DIR}/../shared")
endif()
if(NOT IS_DIRECTORY "${shared}")
  message("SKIPPED: no folder `${shared}`; set WRIT_SHARED to where the corpora are")
  return()
endif()
set(archive "${shared}/corpora/cedar-dev.tar.gz")
if(NOT EXISTS "${archive}")
  message(FATAL_ERROR "`${shared}` is there, but not its corpora/cedar-dev.tar.gz")
endif()

file(SHA256 "${archive}" digest)
set(folder "${WORK_DIR}/${digest}")
if(NOT EXISTS "${folder}/.complete")
  file(REMOVE_RECURSE "${WORK_DIR}")
  file(ARCHIVE_EXTRACT INPUT "${archive}" DESTINATION "${folder}")
  file(TOUCH "${folder}/.complete")
endif()

execute_process(COMMAND "${PROGRAM}" "${folder}" RESULT_VARIABLE status
  OUTPUT_VARIABLE output ERROR_VARIABLE errors)
message("${output}${errors}")
if(NOT status EQUAL 0)
  message(FATAL_ERROR "cedar_conformance ended with ${status}")
endif()
# All of the corpus was run: 31,232 generated requests and 74 handwritten ones, and 3,926 validations.
if(NOT output MATCHES "(^|\n)35232 passed, 0 failed\n$")
  message(FATAL_ERROR "the corpus has 35232 answers to pass")
endif()

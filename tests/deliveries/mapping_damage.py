"""Statements that damage mappings as a bug could, by the name of the check that must find the damage."""

from collections.abc import Mapping

MAPPING = "INSERT INTO clay.mappings (id, org_id, name, created_by) SELECT gen_random_uuid(), org_id, 'm', 'x' FROM clay.destinations"
VERSION = (
    "INSERT INTO clay.mapping_versions (id, org_id, mapping_id, number, columns, created_by)"
    " SELECT id, org_id, id, {}, '[1]', 'x' FROM clay.mappings"
)
MAPPING_DAMAGE: Mapping[str, tuple[str, ...]] = {
    "mapping_versions": (MAPPING, VERSION.format(2)),
    "mapping_in_use": (
        MAPPING,
        VERSION.format(1),
        "UPDATE clay.destinations SET mapping_version_id = (SELECT id FROM clay.mapping_versions)",
        "UPDATE clay.mappings SET archived_at = now()",
    ),
    "retried_mapping": (
        MAPPING,
        VERSION.format(1),
        "UPDATE clay.push_jobs SET retry_of = id",
        (
            "INSERT INTO clay.push_jobs (id, org_id, project_id, destination_id, destination_version_id, table_epoch, push_mode,"
            " push_again, created_by, status, finished_at, mapping_version_id, retry_of)"
            " SELECT gen_random_uuid(), org_id, project_id, destination_id, destination_version_id, table_epoch, 'retry',"
            " push_again, 'x', 'completed', now(), (SELECT id FROM clay.mapping_versions), id FROM clay.push_jobs LIMIT 1"
        ),
    ),
}

"""Which push job records the leads that no route sends anywhere."""

from uuid import UUID, uuid4

from clay_push_service.host.lead_filters import LeadCriteria
from clay_push_service.push_jobs.targets.divide import assign
from clay_push_service.routing.route_leads import RoutedGroup
from clay_push_service.routing.routes import Route

ONE, OTHER = UUID(int=1), UUID(int=2)
PROJECT, SECOND_PROJECT = UUID(int=3), UUID(int=4)


def send_to(destination_id: UUID) -> Route:
    return Route(uuid4(), destination_id, LeadCriteria())


def test_leads_without_a_route_choose_no_table_that_gets_no_lead_of_the_push() -> None:
    """Such a table may be closed, and would refuse the whole push."""
    route = send_to(OTHER)
    unrouted = RoutedGroup(PROJECT, None, is_suppressed=False, lead_ids=[uuid4()])
    routed = RoutedGroup(SECOND_PROJECT, route, is_suppressed=False, lead_ids=[uuid4()])
    lists = {PROJECT: (send_to(ONE),), SECOND_PROJECT: (route,)}
    assert assign([unrouted, routed], lists, ONE) == {OTHER: {PROJECT: [unrouted], SECOND_PROJECT: [routed]}}


def test_leads_without_a_route_are_recorded_with_the_other_leads_of_their_project() -> None:
    first, second = send_to(ONE), send_to(OTHER)
    unrouted = RoutedGroup(PROJECT, None, is_suppressed=False, lead_ids=[uuid4()])
    routed = RoutedGroup(PROJECT, second, is_suppressed=False, lead_ids=[uuid4()])
    elsewhere = RoutedGroup(SECOND_PROJECT, first, is_suppressed=False, lead_ids=[uuid4()])
    lists = {PROJECT: (first, second), SECOND_PROJECT: (first,)}
    found = assign([unrouted, routed, elsewhere], lists, ONE)
    assert found == {OTHER: {PROJECT: [unrouted, routed]}, ONE: {SECOND_PROJECT: [elsewhere]}}


def test_without_any_destination_the_first_route_with_one_records_the_leads() -> None:
    unrouted = RoutedGroup(PROJECT, None, is_suppressed=False, lead_ids=[uuid4()])
    assert assign([unrouted], {PROJECT: (send_to(OTHER),)}, ONE) == {OTHER: {PROJECT: [unrouted]}}

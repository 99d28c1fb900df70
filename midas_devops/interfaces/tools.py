"""The agent's interfaces as LangChain tools, for another agent to call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langchain_core.tools import BaseTool, StructuredTool

if TYPE_CHECKING:
    from midas_devops.agent import DevOpsAgent


def agent_tools(agent: DevOpsAgent) -> list[BaseTool]:
    """Tools with the seed's names and arguments. A run that needs a person comes back as it waits."""

    def deploy_release(environment: str, version_tag_or_commit: str) -> dict[str, Any]:
        """Deploy a version to an environment. Gates are checked; a person is asked where one decides."""
        return agent.deploy_release(environment, version_tag_or_commit).to_json()

    def manage_infrastructure(action: str, config_file: str) -> dict[str, Any]:
        """Plan, apply or destroy an infrastructure configuration. Nothing is destroyed without a person."""
        return agent.manage_infrastructure(action, config_file).to_json()

    def setup_pipeline(repository_url: str, config_details: dict[str, Any]) -> dict[str, Any]:
        """Propose a CI/CD pipeline for a repository on a branch of its own."""
        return agent.setup_pipeline(repository_url, config_details).to_json()

    def report_deployment_status(environment: str, status: str, details: str) -> dict[str, Any]:
        """Put the outcome of a deployment on record."""
        return agent.report_deployment_status(environment, status, details)

    def get_environment_url(environment_name: str) -> str:
        """The address of an environment."""
        return agent.get_environment_url(environment_name)

    def get_pipeline_config() -> dict[str, Any]:
        """The CI/CD pipelines as they are configured now, in files and at their host, and what is missing."""
        return agent.get_pipeline_config()

    return [
        StructuredTool.from_function(function)
        for function in (
            deploy_release,
            manage_infrastructure,
            setup_pipeline,
            report_deployment_status,
            get_environment_url,
            get_pipeline_config,
        )
    ]
